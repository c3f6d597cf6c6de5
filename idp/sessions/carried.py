"""What a browser carries for us in the address of a page, so that a visit stores nothing.

An interaction that nobody has done anything in is kept in its own address: encrypted under our
key, bound to one browser, for as long as an interaction lives (security rules N6 and S10). The
row is made by the first act, under the id that stands inside.
"""

import json
import zlib
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.fernet import InvalidToken, MultiFernet

from idp import clock, settings
from idp.database import ID_LENGTH, hashes
from idp.sessions import sealing
from idp.sessions.models import Interaction

LONGEST: Final = 2000
"""Characters of such an address: it stays within what proxies take by default in the headers of
an answer (4 KiB), and browsers in a cookie. A longer request is stored."""
LONGEST_SEALED: Final = LONGEST + 500
"""With the secret of a mail that was opened on the way."""
_SHORT_HASH: Final = 22
"""Characters of the browser's hash that are carried: 108 bits, or more, tell it from all others."""


def fresh(
    row_id: str, browser_hash: str, client_id: str | None, request: dict[str, Any]
) -> Interaction:
    """An interaction that begins now and is stored nowhere yet."""
    now = clock.now()
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    return _made(row_id, browser_hash, client_id, request, now)


def renew(interaction: Interaction) -> None:
    """Make the address of a carried interaction anew from what it holds now."""
    document = {
        "i": interaction.carried,
        "b": interaction.browser_hash[:_SHORT_HASH],
        "c": interaction.client_id,
        "t": int(interaction.created_at.timestamp() * 1000),
        "r": interaction.request,
        "s": interaction.sealed_token,
    }
    kept = {name: value for name, value in document.items() if value}
    text = json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode()
    interaction.id = _cipher().encrypt(zlib.compress(text, 9)).decode().rstrip("=")


def opened(address: str, browser_hash: str) -> Interaction | None:
    """The interaction that this browser carries; None for what is not ours, or not its own."""
    document = _read(address)
    if document is None:
        return None
    if document["b"] not in {each[:_SHORT_HASH] for each in hashes.all_of(browser_hash)}:
        return None
    begun = datetime.fromtimestamp(document["t"] / 1000, tz=clock.now().tzinfo)
    interaction = _made(
        document["i"], browser_hash, document.get("c"), document.get("r") or {}, begun
    )
    interaction.sealed_token = document.get("s")
    interaction.id = address
    return interaction if interaction.expires_at > clock.now() else None


def client_of(address: str) -> str | None:
    """The application of a carried interaction, whichever browser asks and however old it is."""
    document = _read(address)
    return document.get("c") if document else None


def _made(
    row_id: str,
    browser_hash: str,
    client_id: str | None,
    request: dict[str, Any],
    begun: datetime,
) -> Interaction:
    lifetime: timedelta = settings.current().interaction_lifetime
    made = Interaction(
        id=row_id,
        browser_hash=browser_hash,
        client_id=client_id,
        request=request,
        created_at=begun,
        expires_at=begun + lifetime,
        goes_without=False,
        consented=False,
        stays=False,
    )
    made.carried = row_id
    return made


def _read(address: str) -> dict[str, Any] | None:
    if not ID_LENGTH < len(address) <= LONGEST_SEALED:
        return None
    padded = address + "=" * (-len(address) % 4)
    try:
        text = zlib.decompress(_cipher().decrypt(padded.encode()))
    except (InvalidToken, ValueError, zlib.error):
        return None
    document: dict[str, Any] = json.loads(text)
    return document


def _cipher() -> MultiFernet:
    return sealing.under_each_key(b"carried interaction")
