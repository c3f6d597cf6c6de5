"""Where templates, migrations, static files and translations lie: found the same way
in a checkout and in an installed wheel.
"""

from importlib.resources import files
from pathlib import Path


def folder(package: str) -> Path:
    """The folder of a package of data files, such as ``idp.templates``."""
    return Path(str(files(package)))
