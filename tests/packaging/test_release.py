"""What is published: metadata that says all, a page whose pictures show, papers that are there."""

import configparser
import importlib.util
import re
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
    for name in ("author", "description", "keywords", "license", "long_description"):
        assert said[name]
    versions = re.findall(r"Python :: (3\.\d+)$", said["classifiers"], re.MULTILINE)
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    # PEP 639: the licence is an expression, and no classifier repeats it
    assert "License ::" not in said["classifiers"]


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
