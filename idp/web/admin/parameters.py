"""What comes in addresses: checked before anything is asked with it (security rule A7)."""

import re
from datetime import date
from typing import Final

from flask import request

from idp.web.errors import PageError

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
