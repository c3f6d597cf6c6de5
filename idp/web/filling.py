"""Writes what was typed before into the form of a page, as browsers do after Back.

Works on the page as it is sent, so that no form can be forgotten. Passwords and files are left as
they are; hidden fields that were kept come back too, so that the form means what it meant: one
that changes version 7 of something is refused after version 8, as ever.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

NEVER: Final = frozenset({"password", "file", "submit", "button", "image", "reset"})
CHOSEN: Final = frozenset({"checkbox", "radio"})

Attributes = dict[str, str | None]
Edit = tuple[int, int, str]


@dataclass
class _Control:
    """One field of a form, and where in the page it stands."""

    tag: str
    attributes: Attributes
    start: int
    end: int
    name: str
    text_end: int = 0
    """Where the text of a textarea ends."""

    @property
    def kind(self) -> str:
        return (self.attributes.get("type") or "text").lower() if self.tag == "input" else self.tag


@dataclass
class _Form:
    action: str
    controls: list[_Control] = field(default_factory=list)

    def is_about_the_same(self, typed: dict[str, list[str]]) -> bool:
        """Whether its hidden fields say what the typed one's said: which row of a table."""
        hidden = (each for each in self.controls if each.kind == "hidden" and each.name in typed)
        return all((each.attributes.get("value") or "") in typed[each.name] for each in hidden)


class _Reader(HTMLParser):
    """Finds the forms of a page that are sent by POST."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self._open: _Form | None = None
        self._select = ""
        self._textarea: _Control | None = None
        self._lines = [0]
        for line in page.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form":
            posts = (attributes.get("method") or "").lower() == "post"
            self._open = _Form(attributes.get("action") or "") if posts else None
            self.forms += [self._open] if self._open else []
        elif self._open is not None and tag in {"input", "select", "option", "textarea"}:
            name = self._select if tag == "option" else attributes.get("name") or ""
            self._select = name if tag in {"select", "option"} else ""
            start = self._position()
            end = start + len(self.get_starttag_text() or "")
            control = _Control(tag, attributes, start, end, name)
            self._open.controls.append(control)
            self._textarea = control if tag == "textarea" else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea" and self._textarea is not None:
            self._textarea.text_end = self._position()

    def _position(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


def filled(page: str, path: str, typed: list[tuple[str, str]], *, page_path: str = "") -> str:
    """The page, its form that is sent to ``path`` filled in with these names and values.

    ``page_path``: the path of the page, to which a form goes that names none.
    """
    values: dict[str, list[str]] = {}
    for name, value in typed:
        values.setdefault(name, []).append(value)
    forms = [
        each for each in _Reader(page).forms if (urlsplit(each.action).path or page_path) == path
    ]
    if len(forms) > 1:
        forms = [each for each in forms if each.is_about_the_same(values)]
    edits = [edit for form in forms for edit in _edits(form, values)]
    for start, end, text in sorted(edits, reverse=True):
        page = page[:start] + text + page[end:]
    return page


def _edits(form: _Form, values: dict[str, list[str]]) -> Iterator[Edit]:
    left = {name: list(texts) for name, texts in values.items()}
    for control in form.controls:
        texts = left.get(control.name, [])
        if control.kind in CHOSEN:
            value = control.attributes.get("value") or "on"
            yield _marked(control, "checked", value in values.get(control.name, []))
        elif control.tag == "option" and control.name in values:
            value = control.attributes.get("value") or ""
            yield _marked(control, "selected", value in values[control.name])
        elif control.tag == "textarea" and texts:
            # A line feed that begins the text would be dropped (HTML §13.1.2.5)
            yield control.end, control.text_end, "\n" + escape(texts.pop(0))
        elif control.tag == "input" and control.kind not in NEVER and texts:
            yield _written(control, {**control.attributes, "value": texts.pop(0)})


def _marked(control: _Control, mark: str, wanted: bool) -> Edit:
    without = {name: value for name, value in control.attributes.items() if name != mark}
    return _written(control, {**without, mark: None} if wanted else without)


def _written(control: _Control, attributes: Attributes) -> Edit:
    words = (
        name if value is None else f'{name}="{escape(value)}"' for name, value in attributes.items()
    )
    return control.start, control.end, f"<{' '.join([control.tag, *words])}>"
