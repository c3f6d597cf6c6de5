"""What an operator settled of a registration that manages itself (RFC 7592 §2.2): the ceiling of
what the application may register from then on.

A list may get shorter, for its application may always want less. Anything else stays as the
operator left it.
"""

from collections.abc import Mapping
from typing import Any, Final

from idp.clients.metadata import defaults
from idp.errors import Invalid

_LISTS: Final = frozenset(
    {
        *("redirect_uris", "post_logout_redirect_uris", "request_uris", "origins", "resources"),
        *("response_types", "grant_types", "child_fields", "id_token_claims", "security_events"),
    }
)
"""Those whose every word is a permission; of ``default_acr_values`` fewer are a weaker sign-in."""

Settled = dict[str, Any]


def noted(
    settled: Settled | None, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Settled | None:
    """What is settled once an operator has made ``after`` of ``before``: also what they changed
    now; None where a field is to be absent.
    """
    usual = defaults()
    changed = {
        name: after.get(name)
        for name in {*before, *after}
        if before.get(name, usual.get(name)) != after.get(name)
    }
    return {**(settled or {}), **changed} or None


def kept_to(wanted: Mapping[str, Any], settled: Settled | None) -> dict[str, Any]:
    """What an application wants to register, within what is settled. Raises ``Invalid``."""
    document = dict(wanted)
    for name, ceiling in (settled or {}).items():
        if ceiling is None:
            document.pop(name, None)
        else:
            document[name] = _limited(name, document.get(name), ceiling)
    return document


def _limited(name: str, wanted: Any, ceiling: Any) -> Any:
    if name == "scope" and isinstance(wanted, str):
        return " ".join(each for each in wanted.split() if each in ceiling.split())
    if name not in _LISTS or not isinstance(wanted, list):
        return ceiling
    less = [each for each in wanted if each in ceiling]
    if wanted and not less:
        raise Invalid(name, "must_be_some_of", allowed=ceiling)
    return less
