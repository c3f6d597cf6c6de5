"""What is kept for one browser, readable only with that browser's cookie.

The database alone yields nothing (security rules P6 and N5): the key is derived from the
cookie, of which only a hash is stored.
"""

import hashlib
import json
import zlib
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from idp import settings


def cipher(what: str, row_id: str, browser: str) -> MultiFernet:
    """The cipher of one row; each kind (``what``) has a key of its own (security rule P12)."""
    return under_each_key(b"|".join((what.encode(), row_id.encode(), browser.encode())))


def under_each_key(material: bytes) -> MultiFernet:
    """A cipher that seals under our newest key, and opens what was sealed under any."""
    return MultiFernet(
        Fernet(urlsafe_b64encode(hashlib.blake2b(material, key=key[:64], digest_size=32).digest()))
        for key in settings.current().token_hash_key.all
    )


def seal(what: str, row_id: str, browser: str, value: Any) -> str:
    """``value``, which JSON can hold, as text for the database."""
    packed = zlib.compress(json.dumps(value, separators=(",", ":")).encode())
    return cipher(what, row_id, browser).encrypt(packed).decode()


def opened(what: str, row_id: str, browser: str, sealed: str | None) -> Any:
    """What was sealed; None where nothing was, or not for this browser."""
    if sealed is None:
        return None
    try:
        return json.loads(zlib.decompress(cipher(what, row_id, browser).decrypt(sealed.encode())))
    except InvalidToken:
        return None
