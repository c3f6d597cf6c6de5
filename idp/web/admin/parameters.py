"""What stands in addresses: checked before anything is asked with it (security rule A7)."""

import base64
import binascii
import re
from datetime import date
from typing import Final

from flask import request, url_for

from idp.web.errors import PageError

_KEY: Final = re.compile(r"c[\w-]{0,220}", re.ASCII)
GREATEST_ID: Final = 2**63 - 1
MOST_PAGES: Final = 10_000
_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether this could be an id of ours."""
    return _ID.fullmatch(text) is not None


def known_id(text: str) -> str:
    """An id as we make them; anything else is not found."""
    if not is_id(text):
        raise PageError("not_found", 404)
    return text


def page_number() -> int:
    """``?page=``; whatever is no number of a page asks for the first."""
    text = request.args.get("page", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1
    return number if 1 <= number <= MOST_PAGES else 1


def before() -> int | None:
    """``?before=``: the number of an event; whatever is none asks for the newest."""
    text = request.args.get("before", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return number if number is not None and number <= GREATEST_ID else None


def day() -> date | None:
    """``?day=2026-11-24``, as a date field sends it."""
    try:
        return date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return None


def class_address(school_id: str, name: str) -> str:
    """The page of a class."""
    return url_for("admin.school_class", school_id=school_id, class_key=key_of(name))


def key_of(name: str) -> str:
    """What stands for a class in a path: its name may hold anything, a path may not."""
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
