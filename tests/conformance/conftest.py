"""What the tests of several specifications stand on."""

import shutil
from pathlib import Path

import pytest
from flask import Flask

from idp.oidc.keys import Keyring


@pytest.fixture
def own_keys(app: Flask, keys_folder: Path, tmp_path: Path) -> Keyring:
    """Keys of this test alone, which may be rotated and taken out."""
    folder = tmp_path / "keys"
    shutil.copytree(keys_folder, folder)
    made = Keyring(folder)
    app.extensions["idp.keyring"] = made
    return made
