"""Make what is published: a wheel and a source archive whose page shows its pictures anywhere.

    python .ci/release.py https://git.example/school/idp dist
    python .ci/release.py --notes https://git.example/school/idp [0.6.0]

In a checkout, README.md points to its neighbours; on the page of a package index nothing stands
beside it. So its links and pictures become addresses below the one of the repository, at the tag of
this version, and the package says where its source, changes and papers on security are. `--notes`
prints what CHANGELOG.md says of a version, with the same addresses. Both refuse where setup.cfg,
the chart and CHANGELOG.md are not of one version.
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
    "pyproject.toml", "requirements-build.txt", "requirements.txt", "setup.cfg", "templates",
)  # fmt: skip
PAGES: Final = {
    "Source": "",
    "Changelog": "CHANGELOG.md",
    "Documentation": "docs/operator.md",
    "Security": "SECURITY.md",
}
CHART: Final = "deploy/helm/school-idp/Chart.yaml"
_SECTION: Final = r"^## \[{}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## \[|\Z)"
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


class Disagree(Exception):
    """What is to be released is not of one version, or not told."""


def version_of(root: Path) -> str:
    """The one version that all files name. Raises ``Disagree``."""
    setup = configparser.ConfigParser()
    setup.read(root / "setup.cfg")
    version = setup["metadata"]["version"]
    chart, changes = (root / CHART).read_text(), (root / "CHANGELOG.md").read_text()
    told = {
        f"{CHART}: version": re.search(r"^version: (\S+)$", chart, re.MULTILINE),
        f"{CHART}: appVersion": re.search(r'^appVersion: "?([^"\n]+)"?$', chart, re.MULTILINE),
        "CHANGELOG.md, the newest that has a date": re.search(
            r"^## \[([^]]+)\] - ", changes, re.MULTILINE
        ),
    }
    for where, match in told.items():
        if match is None or match[1] != version:
            there = match[1] if match else "no version"
            raise Disagree(f"setup.cfg says {version}, {where} says {there}")
    return version


def notes(root: Path, repository: str, version: str) -> str:
    """What CHANGELOG.md says of a version, as it can be read anywhere. Raises ``Disagree``."""
    text = (root / "CHANGELOG.md").read_text()
    section = re.search(_SECTION.format(re.escape(version)), text, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise Disagree(f"CHANGELOG.md says nothing of {version}")
    return absolute(section[1].strip() + "\n", repository, f"v{version}")


def main(repository: str, to: str) -> None:
    tag = f"v{version_of(ROOT)}"
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
        # What setuptools would leave out of the archive by itself
        (copy / "MANIFEST.in").write_text("include *.md *.txt\n")
        for name, change in (("README.md", absolute), ("setup.cfg", with_addresses)):
            file = copy / name
            file.write_text(change(file.read_text(), repository, tag))
        build = [sys.executable, "-m", "build", "--outdir", str(Path(to).absolute()), str(copy)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)


def print_notes(repository: str, version: str = "") -> None:
    newest = version_of(ROOT)
    print(notes(ROOT, repository.rstrip("/"), version or newest), end="")


if __name__ == "__main__":
    try:
        if sys.argv[1] == "--notes":
            print_notes(*sys.argv[2:])
        else:
            main(*sys.argv[1:])
    except Disagree as trouble:
        sys.exit(f"release: {trouble}")
