"""A page without any work: what the server alone costs."""

from collections.abc import Callable, Iterable
from typing import Any

BODY = b"{" + b" " * 2000 + b"}"
HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer every request with the same bytes."""
    start_response("200 OK", HEADERS)
    return [BODY]
