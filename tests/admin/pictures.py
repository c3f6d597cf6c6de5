"""Pictures that somebody sends as a school's logo, good ones and others."""

import struct
import zlib
from io import BytesIO

from PIL import Image


def picture(
    form: str = "PNG", size: tuple[int, int] = (600, 300), colour: str = "#a02030", **how: object
) -> bytes:
    written = BytesIO()
    Image.new("RGB", size, colour).save(written, form, **how)
    return written.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims this size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(b"\0" * 1000)),
            chunk(b"IEND", b""),
        )
    )


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(png)) as opened:
        assert opened.format == "PNG"
        return opened.size
