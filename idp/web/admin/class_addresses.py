"""A class in an address: its name may hold anything, a path may not."""

import base64
import binascii
import re
from typing import Final

from flask import url_for

_KEY: Final = re.compile(r"c[\w-]{0,220}", re.ASCII)


def class_address(school_id: str, name: str) -> str:
    """The page of a class."""
    return url_for("admin.school_class", school_id=school_id, class_key=key_of(name))


def key_of(name: str) -> str:
    """What stands for a class in a path."""
    return "c" + base64.urlsafe_b64encode(name.encode()).rstrip(b"=").decode("ascii")


def name_of(key: str) -> str | None:
    """The name behind ``key_of``; None for what never came from there."""
    if not _KEY.fullmatch(key):
        return None
    try:
        name = base64.urlsafe_b64decode(key[1:] + "=" * (-len(key[1:]) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name if key_of(name) == key and "\0" not in name else None
