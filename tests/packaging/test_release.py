"""What is published: metadata that says all, a page whose pictures show, papers that are there."""

import configparser
import importlib.util
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://git.example/school/idp"
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def release() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci/release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def metadata(text: str) -> configparser.SectionProxy:
    setup = configparser.ConfigParser()
    setup.read_string(text)
    return setup["metadata"]


def test_every_picture_and_link_of_the_page_leads_somewhere_elsewhere_too(
    release: ModuleType,
) -> None:
    before = (ROOT / "README.md").read_text()
    after = release.absolute(before, REPOSITORY, "v9.9.9")
    links = LINK.findall(after)
    assert links
    assert all(link.startswith(("https://", "http://127.0.0.1", "#")) for link in links), links
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", after)
    assert pictures
    for picture in pictures:
        begin = f"{REPOSITORY}/raw/v9.9.9/"
        assert picture.startswith(begin)
        assert (ROOT / picture.removeprefix(begin)).exists()
    for link in links:
        if link.startswith(f"{REPOSITORY}/blob/v9.9.9/"):
            path = link.removeprefix(f"{REPOSITORY}/blob/v9.9.9/").partition("#")[0]
            assert (ROOT / path).exists(), link


def test_the_package_says_where_its_source_and_papers_are(release: ModuleType) -> None:
    text = release.with_addresses((ROOT / "setup.cfg").read_text(), REPOSITORY, "v9.9.9")
    said = metadata(text)
    assert said["url"] == REPOSITORY
    pages = dict(line.split(" = ", 1) for line in said["project_urls"].strip().splitlines())
    assert pages["Source"] == REPOSITORY
    for name, path in release.PAGES.items():
        if path:
            assert pages[name] == f"{REPOSITORY}/blob/v9.9.9/{path}"
            assert (ROOT / path).exists()
    assert all((ROOT / name).exists() for name in release.SOURCES)


def test_the_metadata_are_whole() -> None:
    said = metadata((ROOT / "setup.cfg").read_text())
    for name in ("author", "description", "keywords", "license_expression", "long_description"):
        assert said[name]
    versions = re.findall(r"Python :: (3\.\d+)$", said["classifiers"], re.MULTILINE)
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    # PEP 639: the licence is an expression, and no classifier repeats it
    assert "License ::" not in said["classifiers"]


@pytest.fixture
def source(tmp_path: Path, release: ModuleType) -> Path:
    """What names a version, of one that is ready."""
    (tmp_path / release.CHART).parent.mkdir(parents=True)
    (tmp_path / release.CHART).write_text('name: a\nversion: 1.2.0\nappVersion: "1.2.0"\n')
    (tmp_path / "setup.cfg").write_text("[metadata]\nversion = 1.2.0\n")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n- Later.\n\n## [1.2.0] - 2026-11-30\n\n### Added\n\n"
        "- A thing ([guide](docs/operator.md#a-thing)).\n\n## [1.1.0] - 2026-11-29\n\n- Before.\n"
        "\n## [1.0.0] - 2026-11-28\n\n"
    )
    return tmp_path


def test_the_notes_of_a_release_are_its_section_alone(release: ModuleType, source: Path) -> None:
    assert release.version_of(source) == "1.2.0"
    assert release.notes(source, REPOSITORY, "1.2.0") == (
        f"### Added\n\n- A thing ([guide]({REPOSITORY}/blob/v1.2.0/docs/operator.md#a-thing)).\n"
    )
    assert release.notes(source, REPOSITORY, "1.1.0") == "- Before.\n"
    for nothing in ("1.0.0", "1x2.0", "9.9.9", "Unreleased"):
        with pytest.raises(release.Disagree, match="says nothing of"):
            release.notes(source, REPOSITORY, nothing)


@pytest.mark.parametrize(
    ("file", "words", "others", "told"),
    [
        ("setup.cfg", "1.2.0", "1.3.0", "says 1.2.0"),
        ("deploy/helm/school-idp/Chart.yaml", "\nversion: 1.2.0", "\nversion: 1.1.0", ": version"),
        ("deploy/helm/school-idp/Chart.yaml", '"1.2.0"', '"1.1.0"', "appVersion"),
        ("CHANGELOG.md", "## [1.2.0] - 2026-11-30", "## [1.2.0]", "newest that has a date"),
        ("CHANGELOG.md", "## [1.2.0] -", "## [1.3.0] -", "newest that has a date"),
    ],
)
def test_what_is_not_of_one_version_is_not_released(
    release: ModuleType, source: Path, file: str, words: str, others: str, told: str
) -> None:
    text = (source / file).read_text()
    assert words in text
    (source / file).write_text(text.replace(words, others, 1))
    with pytest.raises(release.Disagree, match=re.escape(told)):
        release.version_of(source)


def test_this_version_has_its_notes(release: ModuleType) -> None:
    command = ["make", "--silent", "notes", f"REPOSITORY={REPOSITORY}"]
    ours = f"VENV={Path(sys.executable).parents[1]}"
    done = subprocess.run([*command, ours], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == release.notes(ROOT, REPOSITORY, release.version_of(ROOT))
    assert done.stdout.startswith("### ")
    refused = subprocess.run(
        [*command, ours, "VERSION=9.9.9"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "says nothing of 9.9.9" in refused.stderr


@pytest.mark.long
def test_what_is_published_is_whole_and_its_metadata_is_taken(
    release: ModuleType, tmp_path: Path
) -> None:
    pytest.importorskip("build")
    pytest.importorskip("twine")
    made = tmp_path / "dist"
    maker = [sys.executable, str(ROOT / ".ci/release.py"), REPOSITORY, str(made)]
    done = subprocess.run(maker, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stderr
    version = release.version_of(ROOT)
    wheel = made / f"school_idp-{version}-py3-none-any.whl"
    archive = made / f"school_idp-{version}.tar.gz"
    assert set(made.iterdir()) == {wheel, archive}

    twine = [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(archive)]
    checked = subprocess.run(twine, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    with zipfile.ZipFile(wheel) as content:
        (name,) = (each for each in content.namelist() if each.endswith(".dist-info/METADATA"))
        said = message_from_bytes(content.read(name))
    assert (said["Name"], said["Version"]) == ("school-idp", version)
    assert (said["License-Expression"], said["License"]) == ("Apache-2.0", None)
    assert f"Changelog, {REPOSITORY}/blob/v{version}/CHANGELOG.md" in said.get_all("Project-URL")
    assert "](docs/" not in str(said.get_payload())
    with tarfile.open(archive) as content:
        there = {each.partition("/")[2] for each in content.getnames()}
    assert {name for name in release.SOURCES if (ROOT / name).is_file()} <= there
    assert {"idp/__init__.py", "migrations/env.py", "templates/layout.html"} <= there


@pytest.mark.parametrize("name", ["SECURITY.md", "CONTRIBUTING.md"])
def test_what_a_paper_points_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text()
    for link in LINK.findall(text):
        path, _, anchor = link.partition("#")
        assert (ROOT / path).exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
    for command in re.findall(r"`?make (\w+)", text):
        assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
