"""What the documents point to is there: files, pictures, headings; and make's targets."""

import re
from pathlib import Path

import pytest

from idp.clients.recipe_kinds import KINDS

DOCUMENTS = [
    *(Path(each) for each in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md")),
    *sorted(Path("docs").rglob("*.md")),
]
ROOT = Path(__file__).parents[2]
FOLDERS = "idp", "tests", "bench", "examples", "migrations", "templates", "docs", ".ci"
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def headings(document: Path) -> set[str]:
    """The anchors of a page, made as forges make them."""
    text = _FENCED.sub("", document.read_text())
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(document: Path) -> None:
    lost = []
    links = re.findall(r"\]\(([^)\s]+)\)", _FENCED.sub("", document.read_text()))
    for link in links:
        place, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        target = (document.parent / place) if place else document
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in headings(target)
        ):
            lost.append(link)
    assert lost == []


def test_every_target_that_a_document_names_is_makes() -> None:
    targets = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:^|[`\s])make ([a-z]+(?:-[a-z]+)*)`", document.read_text())
    }
    assert named - targets == set()
    assert {"demo", "test"} <= named | targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_module_that_a_document_names_is_there(document: Path) -> None:
    """However much of its path is told; those of an application are its own."""
    named = set(re.findall(r"`((?:[\w.-]+/)*\w+\.(?:py|js|css|typ))`", document.read_text()))
    there = [str(path) for folder in FOLDERS for path in Path(folder).rglob("*.*")]
    gone = {each for each in named if not any(f"/{path}".endswith(f"/{each}") for path in there)}
    printed = {"app.py", "school_login.py", "urls.py", "settings.py", "told.py"}
    assert gone <= printed | {"app.js", "settings.js", "school_told.py", "school_session.py"}


def test_the_guides_name_all_software_that_the_desk_has_settings_for() -> None:
    names = {each.title.partition(" (")[0] for each in KINDS if each.key != "plain"}
    at_the_desk = re.search(
        r"« Settings\s+to paste » stand below it, the secret in them, for (.*?)\. «",
        Path("docs/desk.md").read_text(),
        re.DOTALL,
    )
    assert at_the_desk
    assert set(re.split(r",\s+| and\s+", at_the_desk[1])) == names
    table = Path("docs/clients.md").read_text().partition("\n## Settings to paste\n")[2]
    shown = " ".join(re.findall(r"^\| ([^|]*) \|", table.partition("\n## ")[0], re.MULTILINE))
    assert {each for each in names if each not in shown} == set()


def test_every_test_that_the_security_page_names_is_there() -> None:
    """A test that was renamed, or went to another file, goes on being what proves a rule."""
    named = re.compile(r"`((?:\w+/)+test_\w+\.py)`((?:,? `[\w*]+`)*)")
    page = (ROOT / "docs/security.md").read_text()
    missing = []
    for file, names in named.findall(page):
        path = ROOT / "tests" / file
        source = path.read_text() if path.exists() else ""
        for name in re.findall(r"`([\w*]+)`", names):
            begins = rf"^ *(?:def|class) {name.replace('*', '')}"
            if not re.search(
                begins if name.endswith("*") else rf"{begins}\b", source, re.MULTILINE
            ):
                missing.append(f"{file} {name}")
        missing += [] if source else [file]
    assert missing == []
    assert len(named.findall(page)) > 200
