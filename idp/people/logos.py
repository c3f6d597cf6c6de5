"""A school's logo: a picture that somebody sent, made anew as the small PNG that pages show.

Nothing of the file survives but its pixels: no metadata (a phone writes where the picture was
taken), no script, no second format hidden in the first.
"""

from io import BytesIO
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

from idp.errors import Invalid

if TYPE_CHECKING:
    from PIL import Image

LOGO_BYTES: Final = 200_000
"""The most that a stored logo has."""
UPLOAD_BYTES: Final = 5 * 1024 * 1024
"""The most that a file may have from which a logo is made."""
MOST_PIXELS: Final = 16_000_000
"""A telephone's photograph has fewer. A file of some kilobytes may claim any number, and each
pixel takes four bytes while it is worked on."""
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
MAILED_BYTES: Final = 32_000
"""The most that a logo in a mail has: it goes with each mail to a thousand parents."""
BOX: Final = (288, 88)
"""Twice what ``.brand-logo`` shows (9 × 2.75 rem), for dense screens. In pixels."""

_one_at_a_time: Final = BoundedSemaphore(1)
"""A picture of a few kilobytes may unpack to 64 MiB: a worker has room for one."""


def cleaned(file: bytes) -> bytes:
    """The logo as a PNG of at most ``LOGO_BYTES``, within ``BOX``. Raises ``Invalid``.

    Of a moving picture the first frame counts.
    """
    with _one_at_a_time:
        return _cleaned(file)


def small(png: bytes) -> bytes | None:
    """A stored logo as mails carry it, in fewer colours where it is large; None where it stays so.

    A logo holds few colours; a photograph becomes coarser.
    """
    if len(png) <= MAILED_BYTES:
        return png
    from PIL import Image

    with _one_at_a_time, Image.open(BytesIO(png), formats=("PNG",)) as picture:
        for colours in (256, 32):
            written = BytesIO()
            fewer = picture.convert("RGBA").quantize(colours, Image.Quantize.FASTOCTREE)
            fewer.save(written, "PNG", optimize=True)
            if written.tell() <= MAILED_BYTES:
                return written.getvalue()
    return None


def _cleaned(file: bytes) -> bytes:
    if not file:
        raise Invalid("logo", "empty")
    if len(file) > UPLOAD_BYTES:
        raise Invalid("logo", "too_large", most=UPLOAD_BYTES // 1024 // 1024)
    if _is_drawing(file):
        raise Invalid("logo", "vector")
    from PIL import Image, ImageOps

    try:
        with Image.open(BytesIO(file), formats=FORMATS) as picture:
            # The header tells the size; nothing has been unpacked yet.
            if picture.width * picture.height > MOST_PIXELS:
                raise Invalid("logo", "too_many_pixels", most=MOST_PIXELS // 1_000_000)
            picture.draft("RGB", (2 * BOX[0], 2 * BOX[1]))  # JPEG: unpack it smaller
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
        upright.thumbnail(BOX, Image.Resampling.LANCZOS)
        return _png(upright)
    except Invalid:
        raise
    except Image.DecompressionBombError:
        raise Invalid("logo", "too_many_pixels", most=MOST_PIXELS // 1_000_000) from None
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError):
        raise Invalid("logo", "unreadable") from None  # what Pillow raises at damaged files


def _is_drawing(file: bytes) -> bool:
    beginning = file[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return beginning.startswith((b"<?xml", b"<!doctype svg", b"<svg", b"<!--"))


def _png(picture: "Image.Image") -> bytes:
    """The pixels alone. Within ``BOX`` even noise stays below ``LOGO_BYTES``."""
    from PIL import Image

    bare = Image.new("RGBA", picture.size)
    bare.paste(picture)
    written = BytesIO()
    bare.save(written, "PNG", optimize=True)
    return written.getvalue()
