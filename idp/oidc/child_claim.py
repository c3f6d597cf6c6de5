"""The ``child`` claim, version 1 (docs/child-claim.md): what a client is registered for."""

from typing import Any, Final

from idp.clients.models import ClientRow
from idp.oidc import consent, subjects
from idp.oidc.models import GrantRow
from idp.people.models import ChildRow

VERSION: Final = 1
_USERINFO_ONLY: Final = frozenset({"sourced_id"})
"""The school's own pupil number never stands in an ID token, which browsers and logs carry."""


def claims_for(
    grant: GrantRow,
    child: ChildRow,
    relationship: str,
    client: ClientRow,
    *,
    userinfo: bool,
    issuer: str,
    allowed: frozenset[str] | None = None,
) -> dict[str, Any]:
    """The claim as this client wants it: an object, an object under a URI, or flat strings.

    ``allowed``: the fields, instead of those that the guardian allowed.
    """
    if allowed is None:
        allowed = consent.child_fields(grant.account_id, client.id, child.id, client.metadata_)
    allowed -= frozenset() if userinfo else _USERINFO_ONLY
    fields = _fields(grant, child, relationship, client, allowed)
    if not fields:
        return {}
    profile = client.metadata_["child_claim_profile"]
    if profile == "flat":
        return {f"child_{name.replace('.', '_')}": _text(value) for name, value in fields.items()}
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        outer, _, inner = name.partition(".")
        if inner:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[outer] = value
    return {f"{issuer}/claims/child" if profile == "uri" else "child": nested}


def _fields(
    grant: GrantRow,
    child: ChildRow,
    relationship: str,
    client: ClientRow,
    allowed: frozenset[str],
) -> dict[str, Any]:
    selected_at = grant.child_selected_at
    every = {
        "sub": subjects.of_child(child, client),
        "given_name": child.given_name,
        "family_name": child.family_name or None,
        "school.id": child.school_id,
        "school.name": child.school_name,
        "class": child.class_name,
        "relationship": relationship,
        "selection": grant.child_selection,
        "selected_at": int(selected_at.timestamp()) if selected_at else None,
        "switchable": grant.child_switchable,
        "sourced_id": child.sourced_id,
    }
    return {name: value for name, value in every.items() if name in allowed and value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
