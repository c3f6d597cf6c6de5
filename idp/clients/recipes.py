"""Settings that an application's administrator can paste, with the values of one client.

Each value is quoted for the language it stands in. The secret is there once, after it was made;
at any other time a placeholder stands in its place.
"""

from collections.abc import Mapping
from typing import Any

from idp.clients.metadata import has_made_up_email
from idp.clients.recipe_kinds import KINDS
from idp.clients.recipe_parts import PLACEHOLDER, Block, Kind, Note, Recipe, Values, site_of

__all__ = ["PLACEHOLDER", "Block", "Note", "Recipe", "recipes_of"]


def recipes_of(
    client_id: str,
    metadata: Mapping[str, Any],
    provider: Mapping[str, Any],
    secret: str | None = None,
) -> list[Recipe]:
    """The settings for each kind of application. ``provider``: our discovery document."""
    values = Values(client_id, metadata, provider, secret or PLACEHOLDER)
    return [
        Recipe(
            kind.key,
            kind.title,
            kind.blocks(values),
            _notes(kind, metadata),
            run=kind.run,
            read=kind.read,
            keyed=kind.keyed,
            stays_signed_in=kind.stays_signed_in,
        )
        for kind in KINDS
        # A screen without a browser has no redirect URI, which all the others need
        if metadata["redirect_uris"] or kind is KINDS[0]
    ]


def _notes(kind: Kind, metadata: Mapping[str, Any]) -> tuple[Note, ...]:
    about = (_about_addresses, _about_the_method, _about_claims)
    return tuple(note for each in about for note in each(kind, metadata))


def _about_addresses(kind: Kind, metadata: Mapping[str, Any]) -> tuple[Note, ...]:
    notes = []
    redirects = metadata["redirect_uris"]
    fitting = next((uri for uri in redirects if uri.endswith(kind.callback)), None)
    if fitting is None:
        notes.append(Note("callback", kind.callback))
    if kind.logout and not metadata["post_logout_redirect_uris"]:
        notes.append(Note("logout", site_of(fitting or redirects[0])))
    return tuple(notes)


def _about_the_method(kind: Kind, metadata: Mapping[str, Any]) -> tuple[Note, ...]:
    notes = []
    method = metadata["token_endpoint_auth_method"]
    if method == "private_key_jwt":
        notes.append(Note("key"))
    elif method not in kind.methods:
        notes.append(Note("method", " ".join(sorted(kind.methods - {"none"}))))
    if metadata["require_pkce"] and not kind.pkce:
        notes.append(Note("pkce"))
    if kind.omits_iss and not metadata.get("omit_iss"):
        notes.append(Note("iss"))
    return tuple(notes)


def _about_claims(kind: Kind, metadata: Mapping[str, Any]) -> tuple[Note, ...]:
    notes = []
    scopes = metadata["scope"].split()
    if kind.flat and "child" in scopes and metadata["child_claim_profile"] != "flat":
        notes.append(Note("flat"))
    if missing := [scope for scope in kind.scopes if scope not in scopes]:
        notes.append(Note("scopes", " ".join(missing)))
    registered = metadata.get("id_token_claims", [])
    if missing := [claim for claim in kind.claims if claim not in registered]:
        notes.append(Note("claims", " ".join(missing)))
    if kind.keyed in {"person", "needed"} and not has_made_up_email(metadata):
        notes.append(Note("keyed" if kind.keyed == "person" else "needed"))
    return tuple(notes)
