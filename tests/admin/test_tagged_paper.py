"""What is printed can be read aloud: tags, languages, titles, words for pictures (PDF/UA-1)."""

import re
import time
from io import BytesIO

import pytest
from PIL import Image

from idp import clock
from idp.database import transaction
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.printed_letters import guide
from idp.desk.printed_letters import paper as letter_paper
from idp.desk.printed_letters import service as printed_letters
from idp.desk.printed_letters.words import Letter, words
from idp.settings import LOCALES
from tests import factories
from tests.admin import papers
from tests.admin.places import Desk

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def letter(desk: Desk, **account: str) -> bytes:
    parent, _children = factories.family(desk.here, "Lina", status="invited", **account)
    return printed_letters.print_letter(AT_TERMINAL, parent.id).pdf


def test_a_letter_is_tagged_and_says_so(desk: Desk) -> None:
    pdf = letter(desk, locale="nl")

    document = papers.reader(pdf)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert document.root_object["/ViewerPreferences"]["/DisplayDocTitle"]
    roles = [tag.role for tag in papers.tags(pdf)]
    assert roles.count("H1") == 1
    assert roles.count("LI") == 3
    assert roles.count("Figure") == 1
    assert {tag.lang for tag in papers.tags(pdf) if tag.role == "H1"} == {"nl"}
    assert all(tag.alt for tag in papers.tags(pdf) if tag.role == "Figure")


def test_it_is_read_from_the_window_to_the_contact(desk: Desk) -> None:
    read = papers.text(letter(desk, username="claire", locale="en"))

    order = ("Claire Dubois", "Lina Dubois", "Your first sign-in at", "Hello Claire", "1.", "2.")
    order += (
        "3.",
        "Your user name",
        "claire",
        "Your connection token",
        "works once",
        "Mme Peeters",
    )
    places = [re.search(rf"(?s){re.escape(each)}", read) for each in order]
    assert all(places)
    position = 0
    for each in order:
        position = read.index(each, position)
    headings = [tag.role for tag in papers.tags(letter(desk, username="paul"))]
    assert headings.index("H1") < headings.index("L") < headings.index("Figure")


def test_a_logo_has_words(desk: Desk) -> None:
    picture = BytesIO()
    Image.new("RGBA", (80, 40), (20, 90, 60, 128)).save(picture, "PNG")
    with transaction():
        desk.here.logo_png = picture.getvalue()

    figures = [tag.alt for tag in papers.tags(letter(desk)) if tag.role == "Figure"]

    assert figures[0] == desk.here.name
    assert len(figures) == 2


def test_each_language_of_the_guide_is_read_as_itself(desk: Desk) -> None:
    tags = papers.tags(guide.of_school(desk.here))

    heads = [tag.lang for tag in tags if tag.role == "H1"]
    assert heads == [desk.here.locale, *(each for each in LOCALES if each != desk.here.locale)]
    assert [tag.role for tag in tags].count("H2") == 5 * len(LOCALES)
    assert all(tag.alt for tag in tags if tag.role == "Figure")


@pytest.mark.parametrize(
    "name",
    ["#strong[x]", "$x$ <a> @b", '#panic("x")', "*a* _b_ `c`", "// x", "\\u{41}", '"]#"x'[:9]],
)
def test_a_name_says_nothing_but_itself(desk: Desk, name: str) -> None:
    spoken = words(desk.here, "fr", clock.now())
    one = Letter(name, name, (name,), "ABCD-EFGH", clock.now(), spoken)
    with_name = letter_paper.printed(
        [one], title=name, locale="fr", colour=desk.here.colour, logo=None
    )

    shown = papers.text(with_name)
    assert shown.count(name) >= 4, shown
    told = papers.reader(with_name).metadata
    assert told is not None
    assert told.title == name


def test_the_name_stands_where_the_envelopes_window_is(desk: Desk) -> None:
    parts: dict[str, tuple[float, float]] = {}

    def seen(text: str, cm: list[float], tm: list[float], *_more: object) -> None:
        if text.strip():
            x, y = tm[4], tm[5]
            at = (cm[0] * x + cm[2] * y + cm[4], cm[1] * x + cm[3] * y + cm[5])
            parts.setdefault(text.strip(), at)

    page = papers.reader(letter(desk)).pages[0]
    page.extract_text(visitor_text=seen)
    point = 25.4 / 72
    x, y = parts["Claire Dubois"]
    assert 20 <= x * point <= 30
    assert 45 <= 297 - y * point <= 90


@pytest.mark.long
def test_six_hundred_letters_cost_what_ten_times_sixty_do(desk: Desk) -> None:
    """Seconds are the machine's; what would end a request is a cost that grows with the square."""
    _printed_at_a_cost(desk, 1)  # reads the fonts
    _, few = _printed_at_a_cost(desk, 60)
    pdf, many = _printed_at_a_cost(desk, 600)

    assert many < 20 * few
    assert len(papers.reader(pdf).pages) == 600


def _printed_at_a_cost(desk: Desk, count: int) -> tuple[bytes, float]:
    """A PDF of so many letters, and the processor's seconds that it took."""
    spoken = words(desk.here, "fr", clock.now())
    letters = [
        Letter(f"Claire Dubois {n}", f"claire{n}", ("Lina (3B)",), f"AB-{n}", clock.now(), spoken)
        for n in range(count)
    ]
    began = time.process_time()
    pdf = letter_paper.printed(letters, title="-", locale="fr", colour=desk.here.colour, logo=None)
    return pdf, time.process_time() - began
