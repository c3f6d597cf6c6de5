"""Which applications know people by the same subjects (OpenID Connect Core §8.1)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from idp.clients import changes, uris
from idp.errors import Invalid
from idp.outgoing.documents import Documents
from idp.outgoing.guarded import Answer
from idp.outgoing.trouble import Trouble, WrongAnswer

_FIELD: Final = "sector_identifier_uri"


def sector(
    document: Mapping[str, Any], client_id: str, school_ids: Sequence[str], *, proved: bool
) -> str:
    """The sector of a new client: what it names, its school's, its origin's, or its own.

    Core §8.1 leaves it to the provider where clients share one; a school's own portals share
    their school (docs/decisions/pairwise-sectors.md). ``proved``: an operator has said whose the
    addresses are; a stranger may name anybody's, and has a sector alone.
    """
    if named := document.get(_FIELD):
        return f"sector:{urlsplit(named).hostname}"[:200]
    if document["first_party"] and len(set(school_ids)) == 1:
        return f"school:{school_ids[0]}"
    origins = {uris.origin(uri) for uri in document["redirect_uris"]}
    # Loopback is nobody's: two vendors' programs would know the same people (RFC 8252 §7.3)
    is_shared = len(origins) == 1 and not any(uris.is_loopback(urlsplit(one)) for one in origins)
    return f"origin:{origins.pop()}"[:200] if proved and is_shared else f"client:{client_id}"


def check(document: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> None:
    """Whether the ``sector_identifier_uri`` lists every redirect URI (Core §8.1, Registration §5).

    ``before``: the present registration; what subjects hang on stays. It is asked for before a
    transaction is open, and read again within one. Raises ``Invalid``.
    """
    address = document.get(_FIELD)
    if before is not None:
        changes.check_staying(before, document)
    if not address:
        return
    try:
        listed = _sector_documents.at(address).get()
        if not set(document["redirect_uris"]) <= listed:
            listed = _sector_documents.at(address).again()
    except Trouble as trouble:
        raise Invalid(_FIELD, "uri_unreadable", address=address, reason=trouble.reason) from None
    if missing := sorted(set(document["redirect_uris"]) - listed):
        raise Invalid(_FIELD, "sector_without", address=missing[0])


def _of_answer(answer: Answer) -> frozenset[str]:
    listed = answer.json()
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise WrongAnswer("no JSON array of addresses")
    return frozenset(listed)


_sector_documents: Final = Documents("sector_identifier_uri", _of_answer)
