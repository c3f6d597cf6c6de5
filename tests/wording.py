"""What a person reads of a page: its words, without what stands in tags."""

import re
from html import unescape


def words(html: str) -> str:
    """The text of a page or a part of one, on one line.

    Whoever asks that a name is *not* there asks this: a token in a form may well hold « Max ».
    """
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?wbr>", "", html))).split())
