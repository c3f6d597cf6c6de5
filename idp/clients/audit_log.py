"""What the audit log says of acts on applications."""

from collections.abc import Mapping, Sequence
from typing import Any

from idp.audit import changes, events


def audited_metadata(document: Mapping[str, Any], school_ids: Sequence[str]) -> dict[str, Any]:
    """A registration as the audit log keeps it: of keys no more than their names, and too little
    of a person's address to write to (security rule L3).
    """
    keys = [key.get("kid", "?") for key in document.get("jwks", {}).get("keys", ())]
    audited = {**document, "schools": sorted(set(school_ids)), "jwks": keys}
    if "contacts" in document:
        audited["contacts"] = [
            changes.shortened(each) if "@" in each else "…" for each in document["contacts"]
        ]
    return audited


def record(
    event: str,
    client_id: str,
    school_ids: Sequence[str],
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **detail: Any,
) -> None:
    """Record an act on a client. Its school may read it; where several are served it is the
    platform's, since a school reads nothing about others (security rule A2).
    """
    earlier, later = before or {}, after or {}
    differing = {
        name: [earlier.get(name), later.get(name)]
        for name in sorted({*earlier, *later})
        if earlier.get(name) != later.get(name)
    }
    if differing:
        detail["changes"] = differing
    only = set(school_ids)
    school_id = only.pop() if len(only) == 1 else None
    events.record(event, client_id=client_id, school_id=school_id, **detail)
