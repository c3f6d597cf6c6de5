"""What the tests of ``idp backup`` share: keys, settings with one, and a backup."""

import json
from pathlib import Path

from idp.settings import Settings
from tests.cli.conftest import Run
from tests.conftest import settings_for_tests

KEY = "pO3vTq8ZrNs5bYh1xLd7cPf0mJa9eUo2iKy4tRn6QpB"
OTHER_KEY = "Yk1zWq2LmNb7vRt4xJd9cHf6sAa8eGo5iPy0uEn3QkC"


def settings_with_key(database_url: str, keys_folder: Path) -> Settings:
    """Settings of a provider whose backups are encrypted with ``KEY``."""
    return settings_for_tests(database_url, keys_folder, backup_key=KEY.encode())


def made(run: Run, target: Path, *options: str) -> Path:
    """A backup that was made just now."""
    result = run("backup", "create", str(target), "--json", *options)
    assert result.exit_code == 0, result.output
    return Path(json.loads(result.stdout)["file"])
