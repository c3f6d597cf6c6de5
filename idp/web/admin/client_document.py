"""From the form of an application to its RFC 7591 metadata.

What a page of this form did not show stays as it is registered: a field that this release does
not know, and one that was not there yet when the page was opened.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from idp.clients import uris
from idp.clients.metadata import DEFAULT_CHILD_FIELDS, checked
from idp.web.admin.client_controls import Control
from idp.web.admin.client_fields import FIELDS, FORM_NAMES
from idp.web.forms import Form

USUAL_GRANTS: Final = ("authorization_code", "implicit", "refresh_token")
PUBLIC: Final = "none"
_COMPOSED: Final = ("kind", "method", "acr", "schools", "scope", "child_fields", "grant_types")
"""Fields that don't hold what metadata of their name hold."""


def usual() -> dict[str, Any]:
    """The registration of which nothing was said."""
    complete = checked({"client_name": "-", "redirect_uris": ["https://example.invalid"]})
    child = {"scope": "openid child", "child_fields": list(DEFAULT_CHILD_FIELDS)}
    return {**complete, "client_name": "", "redirect_uris": [], **child}


def kind_of(document: Mapping[str, Any]) -> str:
    """Where an application runs."""
    if document["application_type"] == "native":
        return "native"
    return "browser" if document["token_endpoint_auth_method"] == PUBLIC else "web"


def document_of(
    form: Form,
    chosen: Mapping[str, list[str]],
    registered: Mapping[str, Any],
    jwks: Mapping[str, Any] | None,
    sent: frozenset[str],
) -> dict[str, Any]:
    """The metadata that a form asks for.

    ``chosen``: the boxes that are ticked; ``jwks``: the keys that came with it; ``sent``: the
    fields that its page had.
    """
    before = {**usual(), **registered}
    plain = [name for name in FIELDS if name not in _COMPOSED and name != "jwks"]
    typed = {n: _typed(n, form.values.get(n, ""), chosen, registered) for n in plain}
    made = {name: _value(name, typed[name], before, registered) for name in plain}
    for enc in [name for name in plain if name.endswith("_enc")]:
        alg = f"{enc.removesuffix('enc')}alg"
        if made[alg] is None and registered.get(alg):
            made[enc] = None  # whose default stood there since something was encrypted
    redirects = made["redirect_uris"] or []
    if form["kind"] == "browser":
        # Its requests come from where it was loaded (CORS): from where it is sent back to
        made["origins"] = made["origins"] or _origins(redirects)
    made |= {
        "scope": " ".join(["openid", *chosen["scope"]]),
        "child_fields": _same_or(registered, "child_fields", ["sub", *chosen["child_fields"]]),
        "grant_types": _grant_types(registered, chosen["grant_types"], redirects),
        "default_acr_values": form["acr"].split() or None,
    }
    if "response_types" not in sent and not registered.get("response_types"):
        sent |= {"response_types"}  # a screen had none; whoever gets an address has the usual ones
        made["response_types"] = None
    return {
        **registered,
        **{name: value for name, value in made.items() if FORM_NAMES.get(name, name) in sent},
        **_kind_and_method(form, registered),
        "jwks": jwks or (None if form["jwks_uri"] else registered.get("jwks")),
    }


def _typed(
    name: str, text: str, chosen: Mapping[str, list[str]], registered: Mapping[str, Any]
) -> Any:
    if FIELDS[name].control == Control.SEVERAL:
        return _same_or(registered, name, chosen[name])
    return _READ.get(FIELDS[name].control, _text)(text)


def _value(name: str, value: Any, before: Mapping[str, Any], registered: Mapping[str, Any]) -> Any:
    """What is registered of a field: where it holds nothing and held nothing, what was."""
    if _is_nothing(value) and _is_nothing(before.get(name)):
        return registered.get(name)
    return None if value == [] else value


def _is_nothing(value: Any) -> bool:
    return value is None or value is False or value == []


def _text(text: str) -> str | None:
    return text.strip() or None


def _lines(text: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def _seconds(text: str) -> int | None:
    typed = text.strip()
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else -1


_READ: Final[Mapping[Control, Callable[[str], Any]]] = {
    Control.LINES: _lines,
    Control.NUMBER: _seconds,
    Control.SWITCH: lambda text: text == "on",
}


def _kind_and_method(form: Form, registered: Mapping[str, Any]) -> dict[str, Any]:
    """Where it runs and how it proves itself; an answer that stays leaves both as they are."""
    kind, names = form["kind"], ("application_type", "token_endpoint_auth_method")
    if registered and kind == kind_of(registered) and (kind != "web" or not form["method"]):
        return {name: registered[name] for name in names}
    method = form["method"] if kind == "web" else PUBLIC
    return dict(zip(names, ("native" if kind == "native" else "web", method), strict=True))


def _grant_types(
    registered: Mapping[str, Any], more: list[str], redirect_uris: list[str]
) -> list[str]:
    """What the boxes add to the usual ones; who has no redirect URI gets no codes by it."""
    before: list[str] = list(registered.get("grant_types", USUAL_GRANTS))
    kept = [each for each in before if each in USUAL_GRANTS]
    if redirect_uris or not more:
        kept = list(dict.fromkeys(["authorization_code", *kept]))
    else:
        kept = [each for each in kept if each != "authorization_code"]
    return _same_or(registered, "grant_types", [*kept, *more])


def _same_or(registered: Mapping[str, Any], name: str, wanted: list[str]) -> list[str]:
    """The registered list where it holds the same: its order may mean something."""
    before: list[str] = list(registered.get(name, []))
    return before if set(before) == set(wanted) else wanted


def _origins(redirects: list[str]) -> list[str]:
    fine = [uri for uri in redirects if uris.problem_of_page(uri) is None]
    return list(dict.fromkeys(uris.origin(uri) for uri in fine))
