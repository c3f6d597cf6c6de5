"""Changing and ending applications, with what ends with it: at the desk, and by themselves."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from idp.clients import algorithms, changes, encrypted_answers, registration
from idp.clients.registration import Registered
from idp.errors import Invalid
from idp.lifecycle import endings
from idp.lifecycle.endings import Cause, These
from idp.oidc.keyring import keyring
from idp.oidc.keys import ALGORITHMS, NEEDED

_ENDS: Final = (
    (changes.shows_addresses, Cause.ADDRESSES_SHOWN),
    (changes.is_ours_no_more, Cause.OURS_NO_MORE),
)


def change(
    client_id: str,
    metadata: Mapping[str, Any],
    *,
    school_ids: Sequence[str] | None = None,
    version: int | None = None,
    by_itself: bool = False,
) -> Registered:
    """Replace a registration, in the caller's transaction; see ``registration.change``.

    What becomes of what was given before stands in ``clients.changes``. Where a third party gets
    what nobody has allowed it, that ends: guardians are asked anew (security rule C5).
    """
    before = dict(registration.get_client(client_id).metadata_)
    made = registration.change(
        client_id, metadata, school_ids=school_ids, version=version, by_itself=by_itself
    )
    after = made.client.metadata_
    for ends, cause in _ENDS:
        if ends(before, after):
            endings.end(cause, These(clients=[client_id]))
    return made


def disable(client_id: str) -> bool:
    """Take an application out of use, in the caller's transaction; what it was given ends.

    False where it was disabled before.
    """
    disabled = registration.disable(client_id)
    if disabled:
        endings.end(Cause.CLIENT_DISABLED, These(clients=[client_id]))
    return disabled


def check_keys(metadata: Mapping[str, Any]) -> None:
    """Raise ``Invalid`` for an algorithm for which this installation has no key (yet)."""
    for field in algorithms.FIELDS:
        alg = metadata.get(field)
        if alg in ALGORITHMS and alg not in NEEDED and not keyring().signs(alg):
            raise Invalid(field, "no_signing_key", algorithm=alg)
    alg = metadata.get(algorithms.ENCRYPTION_FIELD)
    if alg in encrypted_answers.KEY_ALGORITHMS:
        key = algorithms.key_for(str(alg))
        if key not in keyring().encryption_algorithms():
            raise Invalid(algorithms.ENCRYPTION_FIELD, "no_signing_key", algorithm=key)
