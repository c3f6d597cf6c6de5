"""Printed letters, read back: their words, and what a phone sees in their picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import zxingcpp
from PIL import Image
from pypdf import PdfReader


def reader(pdf: bytes) -> PdfReader:
    return PdfReader(BytesIO(pdf))


def text(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in reader(pdf).pages)


def link(pdf: bytes, page: int = 0) -> str:
    """What a phone's camera reads on this page: one picture, one link."""
    pictures = [Image.open(BytesIO(each.data)) for each in reader(pdf).pages[page].images]
    codes = [code.text for picture in pictures for code in zxingcpp.read_barcodes(_framed(picture))]
    assert len(codes) == 1, codes
    return codes[0]


def _framed(picture: Image.Image) -> Image.Image:
    grey = picture.convert("L")
    paper = Image.new("L", (grey.width + 40, grey.height + 40), 255)
    paper.paste(grey, (20, 20))
    return paper


@dataclass(frozen=True)
class Tag:
    """An element of what is read aloud: its role, what stands for a picture, its language."""

    role: str
    alt: str
    lang: str


def tags(pdf: bytes) -> list[Tag]:
    """The elements of a tagged PDF in the order in which they are read (ISO 32000-1, 14.7)."""
    root = reader(pdf).root_object
    assert root["/MarkInfo"]["/Marked"]
    return list(_walked(root["/StructTreeRoot"], str(root["/Lang"])))


def _walked(element: Any, lang: str) -> Iterator[Tag]:
    lang = str(element.get("/Lang", lang))
    if "/S" in element:
        yield Tag(str(element["/S"])[1:], str(element.get("/Alt", "")), lang)
    inner = element.get("/K", [])
    for each in inner if isinstance(inner, list) else [inner]:
        child = each.get_object()
        if isinstance(child, dict) and child.get("/Type") not in {"/MCR", "/OBJR"}:
            yield from _walked(child, lang)
