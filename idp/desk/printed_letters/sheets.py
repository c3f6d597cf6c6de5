"""Paper of the school's: A4 sheets with its head, tagged for who has them read aloud (PDF/UA-1).

The sheets stand in ``idp/papers``. What differs is handed to them as data and never as markup, so
that a name can say nothing but itself; nothing is written to a file.
"""

import json
import re
import unicodedata
from functools import cache
from io import BytesIO
from threading import Lock
from typing import Any, Final

import segno
import typst
from anyascii import anyascii
from fontTools.ttLib import TTFont
from PIL import Image

from idp.resources import folder

LOGO: Final = (60.0, 20.0)
"""What a logo fits into, in millimetres."""
_ONE: Final = Lock()
"""Sheets take half a megabyte each while they are set: those of two printings never add up."""
_ENDLESS: Final = re.compile(r"[^\s-]{24}(?=[^\s-]{8})")
"""What is too long for the narrowest line: a break is allowed after it."""
_FONTS: Final = ("DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf")


def printed(sheet: str, **data: Any) -> bytes:
    """The PDF that ``sheet``, a file of ``idp/papers``, makes of the data."""
    papers = folder("idp.papers")
    source = b"\n".join((papers / each).read_bytes() for each in ("sheet.typ", sheet))
    with _ONE:
        made: bytes = typst.compile(
            source,
            sys_inputs={"data": json.dumps(data)},
            font_paths=_fonts(),
            pdf_standards="ua-1",
        )
    return made


def drawable(text: str) -> str:
    """The text in letters that the fonts have, others as one would spell them in Latin; a word
    that is too long for a line may break.
    """
    text = unicodedata.normalize("NFC", text)
    if not text.isascii():
        text = "".join(c if ord(c) in _letters() else anyascii(c) for c in text)
    return _ENDLESS.sub(lambda piece: f"{piece[0]}\u200b", text)


def picture_of(address: str) -> list[int]:
    """An address as a QR code, with the quiet zone that scanners need (ISO/IEC 18004): the bytes
    of a PNG.
    """
    picture = BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind="png", scale=2)
    return list(picture.getvalue())


def logo_of(png: bytes | None) -> dict[str, Any] | None:
    """The school's logo and its size on paper; none where it can't be read: then a sheet goes
    without.
    """
    if png is None:
        return None
    try:
        with Image.open(BytesIO(png), formats=("PNG",)) as picture:
            picture.load()
            wide, high = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    scale = min(LOGO[0] / wide, LOGO[1] / high)
    return {"png": list(png), "wide": wide * scale, "high": high * scale}


@cache
def _fonts() -> Any:
    """Ours and no others: neither those of the machine nor those that Typst brings."""
    ours = [str(folder("idp.fonts"))]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=ours)


@cache
def _letters() -> frozenset[int]:
    """The letters that all of our fonts have."""
    fonts = [TTFont(folder("idp.fonts") / name, lazy=True) for name in _FONTS]
    return frozenset.intersection(*(frozenset(each.getBestCmap()) for each in fonts))
