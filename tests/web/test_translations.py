"""Every word of ours in every language: catalogues, hosted pages, letters."""

import ast
import re
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import read_mo
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po
from flask import template_rendered
from jinja2 import Template, nodes

from idp import clock
from idp.credentials import email_changes
from idp.database import transaction
from idp.lifecycle import link_requests
from idp.lifecycle.mails import COMPOSERS
from idp.mail import outbox
from idp.mail.messages import Message as MailMessage
from idp.settings import LOCALES
from tests import factories, source
from tests.web.one_meaning import ONE_MEANING
from tests.web.places import Place
from tests.web.walks import WALKS, Walk

ROOT = Path(__file__).parents[2]
CATALOGUES = ROOT / "idp" / "translations"
TRANSLATED = [locale for locale in LOCALES if locale != "en"]
TRANSLATING = {"_", "gettext", "ngettext", "pgettext", "npgettext", "lazy_gettext", "lazy_pgettext"}

SAME_IN_ENGLISH = {
    *(("fr", "Code"), ("fr", "Parent"), ("fr", "Application"), ("fr", "Applications")),
    *(("fr", "%(num)d minute"), ("fr", "%(num)d minutes")),
    *(("nl", "School"), ("nl", "Endpoint"), ("de", "Name")),
    *(("fr", "Logo"), ("nl", "Logo"), ("de", "Logo")),
}
ENGLISH = re.compile(
    r"\b(the|your|you|and|with|this|that|not|for|from|sign|please)\b", re.IGNORECASE
)
"""Words that no French, Dutch or German sentence of ours has."""

OTHER_WORDS = {
    "fr": re.compile(r"(?i)second facteur|deuxièmes? preuve|l'effectuer|d'un coup"),
    "nl": re.compile(r"(?i)tweede (bewijs|factor)|\bvervallen\b|\bbewaren voor\b|is bewaard"),
    "de": re.compile(r"(?i)\bfaktor|zweite\w* nachweis|familienname|erlaubnis"),
    "en": re.compile(
        r"(?i)second (factor|proof)|\bstands? (in|on|below|under)\b|unwanted mail"
        r"|by nobody|\bshall\b"
    ),
}
"""What one thing was called beside its own word; and, in English, what nobody says."""

_PARTS = re.compile(r"""\{%-?\s*(?:extends|include|from|import)\s+"([^"]+)\"""")
"""Templates that others are made of: nobody opens them by themselves."""

each_language = pytest.mark.parametrize("locale", TRANSLATED)
each_language_in_turn = pytest.mark.parametrize(
    "locale",
    [pytest.param(each, marks=() if each == "fr" else pytest.mark.long) for each in TRANSLATED],
)
"""What walks through pages: one language finds what nobody has marked to be translated."""
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


Key = tuple[str | None, str | tuple[str, ...]]
"""A sentence with its context, if it has one."""


@cache
def places() -> dict[Key, set[str]]:
    """Each sentence in code and templates, with the files that it stands in."""
    with (CATALOGUES / "babel.cfg").open() as configuration:
        methods, options = parse_mapping_cfg(configuration)
    found: dict[Key, set[str]] = {}
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None}  # as `make translations` has it
    sentences = extract_from_dir(ROOT, methods, options, keywords)
    for file, _line, sentence, _comments, context in sentences:
        found.setdefault((context, sentence), set()).add(file)
    return found


@cache
def extracted() -> dict[str | tuple[str, ...], str]:
    """Each sentence in code and templates, with a file that it stands in."""
    return {sentence: min(files) for (_context, sentence), files in places().items()}


@cache
def catalogue(locale: str) -> Catalog:
    with (CATALOGUES / locale / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=locale)


def messages(locale: str) -> list[Message]:
    return [message for message in catalogue(locale) if message.id]


def key(message: Message) -> Key:
    """A message as `places` counts it."""
    sentence = message.id
    context = message.context
    return (
        context.decode() if isinstance(context, bytes) else context,  # so read_mo gives it
        tuple(sentence) if isinstance(sentence, list | tuple) else str(sentence),
    )


def forms(of: str | tuple[str, ...] | list[str]) -> list[str]:
    """The sentence, or its singular and plural."""
    return [of] if isinstance(of, str) else list(of)


def words(of: Catalog) -> dict[tuple[str | None, ...], list[str]]:
    """Each sentence with its translation, by context, singular and plural."""
    return {key(each)[:1] + tuple(forms(each.id)): forms(each.string) for each in of if each.id}


@each_language
class TestCatalogue:
    def test_translates_what_is_said_and_nothing_else(self, locale: str) -> None:
        known = {key(message) for message in messages(locale)}

        assert places().keys() - known == set(), "run `make translations`, then translate"
        assert known - places().keys() == set()
        assert not catalogue(locale).obsolete

    def test_leaves_nothing_open(self, locale: str) -> None:
        unsure = [message.id for message in messages(locale) if message.fuzzy]
        empty = [message.id for message in messages(locale) if not all(forms(message.string))]

        assert (unsure, empty) == ([], [])

    def test_speaks_no_english(self, locale: str) -> None:
        same = {
            (locale, english)
            for message in messages(locale)
            for english in forms(message.id)
            if english in forms(message.string)
        }

        assert same <= SAME_IN_ENGLISH

    def test_keeps_the_placeholders(self, locale: str) -> None:
        def placeholders(text: str) -> set[str]:
            return set(re.findall(r"%\(\w+\)\w|%.", text))

        for message in messages(locale):
            wanted = placeholders(forms(message.id)[-1])
            assert [placeholders(each) for each in forms(message.string)] == [wanted] * len(
                forms(message.string)
            ), message.id

    def test_ends_its_sentences_as_they_began(self, locale: str) -> None:
        for message in messages(locale):
            for english, ours in zip(forms(message.id), forms(message.string), strict=True):
                assert ours == ours.strip()
                if message.context == "figure 5":  # to the letter: tests/web/test_tutorial.py
                    continue
                assert ours[:1].isupper() == english[:1].isupper() or ours[:1] == "%", ours
                for mark in ".:?":
                    assert ours.endswith(mark) == english.endswith(mark), ours

    def test_writes_a_hyphen_in_one_way(self, locale: str) -> None:
        for message in messages(locale):
            for said in forms(message.string):
                assert "\u2011" not in said, said

    def test_has_the_languages_own_plural_forms(self, locale: str) -> None:
        rule = get_plural(locale)

        assert catalogue(locale).num_plurals == rule.num_plurals
        assert catalogue(locale).plural_expr == rule.plural_expr

    def test_is_compiled(self, locale: str) -> None:
        with (CATALOGUES / locale / "LC_MESSAGES" / "messages.mo").open("rb") as file:
            compiled = read_mo(file)

        assert words(compiled) == words(catalogue(locale)), "run `make translations`"


def kind_of(file: str) -> str:
    """The kind of page that a file is for: a folder of templates, or a module."""
    folder, _, _name = file.replace("\\", "/").rpartition("/")
    return folder if folder.startswith("templates/") else file


class TestOneMeaning:
    def test_a_short_label_on_pages_of_different_kinds_means_one_thing(self) -> None:
        shared = {
            sentence
            for (context, sentence), files in places().items()
            if context is None and isinstance(sentence, str) and "%" not in sentence
            if len(sentence.split()) <= 3 and len(set(map(kind_of, files))) > 1
        }

        assert shared - ONE_MEANING == set(), (
            "look at each in four languages: tests/web/one_meaning"
        )
        assert ONE_MEANING - shared == set()

    @each_language
    def test_one_thing_has_one_word(self, locale: str) -> None:
        for message in messages(locale):
            for said in forms(message.string):
                assert not OTHER_WORDS[locale].search(said), said

    def test_english_is_not_translated_from_another_language(self) -> None:
        for sentence, file in extracted().items():
            for said in forms(sentence):
                assert not OTHER_WORDS["en"].search(said), f"{file}: {said}"


NAMES = r"place|school|name|pupils?|guardian|children|child|provider|application|class_name|device"
ELIDED = re.compile(
    rf"(?i)\b(de|du|des|à|au|aux|que|le|la|les|si|lorsque|puisque|d['’]|l['’]|qu['’])\s*"
    rf"%\(({NAMES}|username|shown|query|colour|email)\)s"
    r"|\b(pour|dans|par)\s%\((place|school)\)s"
)
"""A name after a word that its first letter or its gender would change."""


class TestFrench:
    """« de Agnès », « l'autre compte de Inès », « pour École du Moulin » are no French."""

    def test_builds_no_sentence_around_a_name_that_changes_it(self) -> None:
        for message in messages("fr"):
            for said in forms(message.string):
                assert not ELIDED.search(said), said

    def test_takes_no_reader_for_a_man(self) -> None:
        signed = re.compile(
            r"(?i)\b(vous (vous )?(êtes|serez|garder)|je suis)( \w+)? (dé)?connecté\b"
        )
        for message in messages("fr"):
            for said in forms(message.string):
                assert not signed.search(said), said

    def test_keeps_its_double_marks_with_their_word(self) -> None:
        for message in messages("fr"):
            for said in forms(message.string):
                assert not re.search(r" [:;?!»]|« ", said), f"a plain space: {said}"

    @on_sqlite
    @pytest.mark.parametrize("kind", sorted(COMPOSERS))
    def test_letters_read_well_with_a_vowel(self, here: Place, kind: str) -> None:
        letter = letter_of(here, kind, "fr", school="École du Moulin", child="Inès")

        said = f"{letter.subject}\n{letter.text}"
        assert not re.search(r"\b(de|à|que|pour|le|la) (École|Inès|Agnès)", said), said


class TestSentencesAreWhole:
    """Word order differs between languages: a sentence in pieces can't be translated."""

    def test_none_begins_or_ends_in_the_middle(self) -> None:
        for sentence, file in extracted().items():
            for text in forms(sentence):
                assert text == " ".join(text.split()), f"{file}: {text!r}"
                assert not text.endswith((",", ";", "(")) or text == "Hello %(name)s,", text

    def test_code_joins_none(self) -> None:
        for path, tree in source.trees().items():
            for node in ast.walk(tree):
                if isinstance(node, ast.BinOp | ast.JoinedStr):
                    assert not any(map(is_translation, ast.walk(node))), f"{path}:{node.lineno}"
                if is_translation(node):
                    assert all(isinstance(each, ast.Constant) for each in texts(node)), (
                        f"{path}:{node.lineno}"
                    )

    def test_templates_join_none(self, tmp_path: Path, keys_folder: Path) -> None:
        from idp import create_app
        from tests.conftest import settings_for_tests

        app = create_app(settings_for_tests(f"sqlite:///{tmp_path}/none.db", keys_folder))
        for path in sorted((ROOT / "templates").rglob("*.*")):
            if path.suffix in {".html", ".txt"}:
                tree = app.jinja_env.parse(path.read_text("utf-8"))
                for joined in tree.find_all((nodes.Concat, nodes.BinExpr)):
                    if not isinstance(joined, nodes.And | nodes.Or):
                        called = {getattr(c.node, "name", "") for c in joined.find_all(nodes.Call)}
                        assert not called & TRANSLATING, f"{path}:{joined.lineno}"


def is_translation(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in TRANSLATING
    )


def texts(call: ast.AST) -> list[ast.expr]:
    """What a call gives to be translated: the context, the sentence, its plural."""
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    many = {"ngettext": 2, "pgettext": 2, "lazy_pgettext": 2, "npgettext": 3}
    return call.args[: many.get(call.func.id, 1)]


class _Words(HTMLParser):
    """What a reader sees or hears of a page; technical codes aside."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.language = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag
        if tag == "html":
            self.language = given.get("lang") or ""
        self.found += [given.get(name) or "" for name in ("title", "aria-label", "alt")]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in {"code", "style", "script"}:
            self.found.append(" ".join(data.split()))


def assert_speaks(locale: str, page: str) -> None:
    """The page says that it is in this language, and is."""
    reader = _Words()
    reader.feed(page)
    said = [words for words in reader.found if words]
    assert reader.language == locale
    english = {text for sentence in extracted() for text in forms(sentence)}
    allowed = {text for language, text in SAME_IN_ENGLISH if language == locale}
    assert [words for words in said if words in english - allowed] == []
    assert [words for words in said if ENGLISH.search(words)] == []


@on_sqlite
@each_language_in_turn
@pytest.mark.parametrize("walk", WALKS)
def test_hosted_pages_speak_the_readers_language(here: Place, locale: str, walk: Walk) -> None:
    here.speaks(locale)

    for page in walk(here):
        assert page.mimetype == "text/html", page.status
        assert_speaks(locale, page.text)


@pytest.mark.long
@on_sqlite
def test_the_walks_see_every_hosted_page(here: Place) -> None:
    folder = ROOT / "templates"
    sources = {str(path.relative_to(folder)): path.read_text() for path in folder.glob("*/*.html")}
    parts = {part for source in sources.values() for part in _PARTS.findall(source)}
    pages = sources.keys() - parts
    seen = set()

    def note(_app: object, template: Template, **_context: object) -> None:
        seen.add(template.name)

    with template_rendered.connected_to(note):
        for walk in WALKS:
            here.browser = here.another_browser()
            list(walk(here))

    elsewhere = ("mail/", "admin/")  # see the letters below, and tests/admin/test_words.py
    assert {page for page in pages if not page.startswith(elsewhere)} == seen


def letter_of(here: Place, kind: str, locale: str, **names: str) -> MailMessage:
    """One letter of this kind, to a guardian at the school who has not signed in yet."""
    reader = factories.account(
        "ines", given_name="Agnès", status="invited", email="claire@example.org", locale=locale
    )
    factories.guardianship(reader, factories.child(here.school, names.get("child", "Tom")))
    with transaction():
        here.school.name = names.get("school", here.school.name)
        here.parent.locale = here.school.locale = locale
        change = email_changes.begin_change(
            reader.id, "before@example.org", "claire@example.org", proved=True
        )
        link_requests.request_link(reader.id, factories.child(here.school, "Mia"), "parent")
        about = {
            "email": "claire@example.org",
            "change_id": change.id,
            "request_id": link_requests.waiting(reader.id)[0].request.id,
            "school_id": here.school.id,
            "closed_id": here.parent.id,
            "kept_id": here.parent.id,
            "outcome": "done",
            "device": "Firefox, Android",
            "on": clock.now().isoformat(),
        }
        message = outbox.enqueue(kind, account_id=reader.id, about=about)
        (letter,) = COMPOSERS[kind](message)
    return letter


@on_sqlite
@each_language_in_turn
@pytest.mark.parametrize("kind", sorted(COMPOSERS))
def test_letters_speak_the_readers_language(here: Place, locale: str, kind: str) -> None:
    letter = letter_of(here, kind, locale)

    assert_speaks(locale, letter.html)
    assert not ENGLISH.search(re.sub(r"\S+@\S+|https?://\S+", "", letter.text)), letter.text
    assert not ENGLISH.search(letter.subject)


@on_sqlite
@each_language
def test_letters_name_the_labels_that_the_pages_show(here: Place, locale: str) -> None:
    here.speaks(locale)
    said = {
        text: forms(message.string)[0] for message in messages(locale) for text in forms(message.id)
    }

    page = unescape(here.at_sign_in().text)

    assert said["CONNECTION TOKEN"] in page
    assert said["CONNECTION TOKEN"].casefold() in said["Your connection token:"].casefold()
    advice = next(ours for english, ours in said.items() if "“Forgotten password”" in english)
    quoted = re.search(r"[«„‘]\s?(.+?)\s?[»“’]", advice)
    assert quoted
    assert quoted[1] == said["Forgotten password"]
    assert re.search(rf">\s*{quoted[1]}", page), "the link begins with these words"
