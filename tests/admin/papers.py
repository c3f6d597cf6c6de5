"""Printed letters, read back: their words, and what a phone sees in their picture."""

from io import BytesIO

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
