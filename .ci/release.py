"""Make what is published: a wheel and a source archive whose page shows its pictures anywhere.

    python .ci/release.py https://git.example/school/idp dist

In a checkout, README.md points to its neighbours; on the page of a package index nothing stands
beside it. So its links and pictures become addresses below the one of the repository, at the tag of
this version, and the package says where its source, changes and papers on security are.
"""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = (
    "CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "constraints.txt", "idp", "migrations",
    "pyproject.toml", "requirements.txt", "setup.cfg", "templates",
)  # fmt: skip
PAGES: Final = {
    "Source": "",
    "Changelog": "CHANGELOG.md",
    "Documentation": "docs/operator.md",
    "Security": "SECURITY.md",
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|#|mailto:)([^)\s]+)\)")


def absolute(text: str, repository: str, tag: str) -> str:
    """Markdown whose pictures and links lead somewhere wherever it is shown."""

    def to(match: re.Match[str]) -> str:
        mark, words, path = match.groups()
        return f"{mark}[{words}]({repository}/{'raw' if mark else 'blob'}/{tag}/{path})"

    # Twice: a picture may stand inside a link's words
    return _LINK.sub(to, _LINK.sub(to, text))


def with_addresses(setup: str, repository: str, tag: str) -> str:
    """setup.cfg with the addresses of the project's pages."""
    pages = {
        name: f"{repository}/blob/{tag}/{path}" if path else repository
        for name, path in PAGES.items()
    }
    lines = "".join(f"    {name} = {address}\n" for name, address in pages.items())
    head, mark, rest = setup.partition("classifiers =\n")
    return f"{head}url = {repository}\nproject_urls =\n{lines}{mark}{rest}"


def main(repository: str, to: str) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    tag = f"v{setup['metadata']['version']}"
    repository = repository.rstrip("/")
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "source"
        copy.mkdir()
        for name in SOURCES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
                )
            else:
                shutil.copy(source, copy / name)
        for name, change in (("README.md", absolute), ("setup.cfg", with_addresses)):
            file = copy / name
            file.write_text(change(file.read_text(), repository, tag))
        build = [sys.executable, "-m", "build", "--outdir", str(Path(to).absolute()), str(copy)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
