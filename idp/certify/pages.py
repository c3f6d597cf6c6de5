"""A page as the robot reads it: its forms, links and text."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit, urlunsplit

_UNSEEN = frozenset({"script", "style", "template"})


@dataclass
class Form:
    """A form: what it sends as it stands, and its buttons as id, name and value."""

    id: str
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """What a browser shows. ``html`` is empty where the answer was none."""

    address: str
    status: int
    html: str

    @property
    def origin(self) -> str:
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def forms(self) -> list[Form]:
        return self._read.forms

    @property
    def text(self) -> str:
        """What stands on the page, values of fields too; no scripts."""
        return " ".join(self._read.text)

    @property
    def title(self) -> str:
        return " ".join(self._read.title.split())

    @property
    def links(self) -> list[str]:
        """Where the page's links lead."""
        return [urljoin(self.address, each) for each in self._read.links]

    @property
    def leads_on(self) -> bool:
        """Whether there is anything to press: a page without is a dead end."""
        return bool(self._read.links or self._read.forms or self._read.buttons)

    def shows(self, element_id: str) -> bool:
        """Whether an element of this id is on the page."""
        return element_id in self._read.ids

    def text_of(self, element_id: str) -> str:
        """The text that begins in the element of this id."""
        return self._read.ids.get(element_id, "").strip()

    def link_of(self, element_id: str) -> str | None:
        """Where the link of this id leads."""
        href = self._read.links_by_id.get(element_id)
        return href and urljoin(self.address, href)

    def form_of_button(self, button_id: str) -> tuple[Form, str, str] | None:
        """The form of a button, with the button's name and value."""
        for form in self.forms:
            for each, name, value in form.buttons:
                if each == button_id:
                    return form, name, value
        return None

    def form_to(self, address: str) -> Form | None:
        """The form that is sent to this address."""
        for form in self.forms:
            if urljoin(self.address, form.action or self.address) == address:
                return form
        return None

    def link_to(self, address: str) -> str | None:
        """Where the first link to this address leads, with its query."""
        return next((each for each in self.links if each.partition("?")[0] == address), None)

    def form_between(self, address: str) -> Form | None:
        """The only form of a page that stands at this address, with the address's query: what an
        application shows before it sends anybody on, for no link of another site may do that.
        """
        parts = urlsplit(address)
        if urlsplit(self.address).path != parts.path or len(self.forms) != 1:
            return None
        (form,) = self.forms
        action = urlsplit(form.action or self.address)
        own = urlunsplit(action._replace(query=action.query or parts.query))
        return replace(form, action=own) if form.method == "post" else None

    @cached_property
    def onward(self) -> str | None:
        """Where the page goes on to by itself, without scripts."""
        return self._read.refresh and urljoin(self.address, self._read.refresh)

    @cached_property
    def _read(self) -> "_Reader":
        reader = _Reader()
        reader.feed(self.html)
        return reader


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.buttons = 0
        self.links_by_id: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self.text: list[str] = []
        self.title = ""
        self.refresh: str | None = None
        self._open: list[str] = []
        self._in_form = False
        self._id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._open.append(tag)
        self._id = attributes.get("id", "")
        if self._id:
            self.ids.setdefault(self._id, "")
        self.buttons += tag == "button"
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
            self.links_by_id[self._id] = attributes["href"]
        elif tag == "meta" and attributes.get("http-equiv", "").lower() == "refresh":
            self.refresh = _address_of(attributes.get("content", ""))
        elif tag == "form":
            method = attributes.get("method", "get").lower()
            self.forms.append(Form(self._id, attributes.get("action", ""), method))
            self._in_form = True
        elif self._in_form:
            self._field(tag, attributes)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._in_form = False
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "title" in self._open:
            self.title += data
        elif not _UNSEEN & set(self._open):
            self.text.append(data)
            if self._id and not self.ids[self._id]:
                self.ids[self._id] = data

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        form, name, kind = (
            self.forms[-1],
            attributes.get("name", ""),
            attributes.get("type", "").lower(),
        )
        value = attributes.get("value", "")
        if tag == "button" or (tag == "input" and kind in {"submit", "image"}):
            form.buttons.append((self._id, name, value))
        elif name and tag == "textarea":
            form.fields[name] = value
        elif (
            name
            and tag == "input"
            and (kind not in {"checkbox", "radio"} or "checked" in attributes)
        ):
            form.fields[name] = value
            if kind != "hidden":
                self.text.append(value)


def _address_of(content: str) -> str | None:
    """The address in ``0;url=…``, where the page leaves at once."""
    seconds, _, rest = content.partition(";")
    name, _, address = rest.strip().partition("=")
    at_once = seconds.strip() in {"0", "1", "2"} and name.strip().lower() == "url"
    return address.strip().strip("'\"") if at_once else None
