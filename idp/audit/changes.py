"""What an act of staff changed, as its school may read it: before and after."""

from collections.abc import Mapping
from typing import Any

from idp.audit import events


def record(
    event: str,
    *,
    school_id: str | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **about: Any,
) -> None:
    """Record an act for one school, or (``None``) for the platform, in the caller's transaction.

    Of ``before`` and ``after`` only what differs is kept. ``about``: what ``events.record``
    takes. Addresses of persons are shortened here; names of persons don't come here at all.
    """
    earlier, later = before or {}, after or {}
    changes = {
        name: [_kept(name, earlier.get(name)), _kept(name, later.get(name))]
        for name in sorted({*earlier, *later})
        if earlier.get(name) != later.get(name)
    }
    if changes:
        about["changes"] = changes
    events.record(event, school_id=school_id, **about)


def _kept(name: str, value: Any) -> Any:
    return shortened(value) if name == "email" and isinstance(value, str) else value


def shortened(email: str) -> str:
    """Enough of an address to tell two apart, too little to write to: ``c…e@dubois.example``."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…{local[-1:]}@{domain}"
