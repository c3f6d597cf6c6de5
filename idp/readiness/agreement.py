"""What every machine must have alike: secrets, issuer, signing keys; compared by the database.

A machine with another key folder signs tokens that half of the time nobody can verify; one with
another secret believes no session and no mailed token of the others. Neither says anything. So
the first machine that serves leaves keyed fingerprints in the database, every other one is
compared with them, and an operator says when they change: ``idp db agree``.

A fingerprint tells nothing of its secret: it is an HMAC under the secret itself, which has 256
bits. It is bound to the database's identity, so that two installations can't be compared.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from idp import clock, settings
from idp.audit import events
from idp.audit.models import DatabaseIdentity, InstallationMark
from idp.database import beginnings, db, refuses_writes
from idp.oidc.keyring import keyring
from idp.oidc.keys import NEEDED, KeyEntry
from idp.readiness import marks
from idp.settings import Settings, variable
from idp.settings.secrets import Secret, all_of

KEY: Final = "key "
LATER_KEY: Final = "later key "
"""Of algorithms that not every machine has yet: the former release does not read these marks, and a
machine without such a key is no worse than before."""
SHARED: Final = ("session_secret", "password_pepper", "token_hash_key", "subject_key", "issuer")
MARKED: Final = ("password_pepper", "token_hash_key")
"""What these make bears their mark, except of the one that the installation began with."""
FIRST: Final = beginnings.PREFIX
PROMOTED: Final = "promoted "
"""Since when a secret is the newest of its list at some machine."""
PROMOTED_WITHIN: Final = timedelta(days=1)
NEXT_STEP: Final = (
    "copy what differs from a machine that serves, or run `idp db agree` where it was changed on "
    "purpose (docs/operator.md, « Several machines »)"
)


class Disagreement(Exception):
    """This machine differs from the others; the text says in what."""


def differences() -> list[str]:
    """In what this machine differs from those before it, as sentences; changes nothing."""
    known = marks.read()
    sentences = [not_the_one(name) for name in differing(known)]
    marked = {n: m.value for n, m in known.items() if n.startswith((KEY, LATER_KEY))}
    return sentences + _key_differences(marked)


def differing(known: Mapping[str, InstallationMark]) -> list[str]:
    """The settings whose value is not the one of the machines before, by their marks."""
    ours = _fingerprints(settings.current())
    return [n for n, values in ours.items() if n in known and known[n].value not in values]


def not_the_one(name: str) -> str:
    """What to say of such a setting."""
    return f"{variable(name)} is not the one of the other machines"


def join() -> None:
    """Compare this machine with the others; what nobody has said yet is taken from it.

    Raises ``Disagreement``; a machine that is refused has said nothing.
    """
    refuse_disagreement()
    known = marks.read()
    ours = _fingerprints(settings.current())
    has_keys = any(name.startswith(KEY) for name in known)
    unsaid = {*ours, *(FIRST + name for name in MARKED)} - set(known)
    if not has_keys or unsaid:
        with marks.connection() as now, now.begin():
            for name in MARKED:  # before the marks by which the first one is found
                _write_first(now, name)
            for name, (newest, *_former) in ours.items():
                marks.write(now, name, newest, over=False)
            for entry in () if has_keys else keyring().entries():
                marks.write(now, _mark_of(entry), _until(entry), over=False)
        db.session.expire_all()
        refuse_disagreement()  # another may have begun at the same instant
    _note_lists()


def _note_lists() -> None:
    """Of each list, which secret is the newest, and when a machine began with it last: from then
    on nobody has made anything with another one (``idp.doctor.hanging``). All machines begin with
    it within a day; a restart after that says nothing new.
    """
    lists = {n: each for n, each in _fingerprints(settings.current()).items() if len(each) > 1}
    if not lists:
        return
    promoted, lately = marks.read(PROMOTED), clock.now() - PROMOTED_WITHIN
    try:
        with marks.connection() as now, now.begin():
            for name, (newest, *_former) in lists.items():
                before = promoted.get(PROMOTED + name)
                is_news = before is None or before.value != newest
                if is_news:
                    marks.write(now, PROMOTED + name, newest)
                if is_news or (before is not None and before.at > lately):
                    marks.write(now, name, newest)
    except DBAPIError as error:
        if not refuses_writes(error):
            raise
    db.session.expire_all()


def refuse_disagreement() -> None:
    """Raise ``Disagreement`` where this machine must not work beside the others."""
    if sentences := differences():
        raise Disagreement(f"{'; '.join(sentences)}: {NEXT_STEP}")


def settle() -> None:
    """From now on this machine's secrets, issuer and keys are those that all must have."""
    with marks.connection() as now, now.begin():
        for name in MARKED:
            _write_first(now, name)
        for name, (newest, *_former) in _fingerprints(settings.current()).items():
            marks.write(now, name, newest)
        _write_keys(now)
    events.record("settings_agreed")


def note_keys() -> None:
    """After a change of this machine's keys: they are those that all must have."""
    with marks.connection() as now, now.begin():
        _write_keys(now)


def knows_keys() -> bool:
    """Whether a machine has keys already, so that an empty folder is no beginning."""
    return bool(marks.read(KEY))


def _write_first(now: Connection, name: str) -> None:
    """Note for good which secret made what bears no mark of its own. Of one that is in no list any
    more only the mark is known by which machines compared it: it is found by that if it comes back.
    """
    secrets = getattr(settings.current(), name)
    first = beginnings.chosen(name, secrets, now)
    if first is not None:
        marks.write(now, FIRST + name, first.fingerprint, over=False)
    elif (compared := marks.read(name).get(name)) is not None:
        marks.write(now, FIRST + name, compared.value, over=False)


def _write_keys(now: Connection) -> None:
    entries = {_mark_of(entry): _until(entry) for entry in keyring().entries()}
    marks.forget(now, {*marks.read(KEY), *marks.read(LATER_KEY)} - set(entries))
    for name, until in entries.items():
        marks.write(now, name, until)


def _mark_of(entry: KeyEntry) -> str:
    return (KEY if entry.alg in NEEDED else LATER_KEY) + entry.kid


def _until(entry: KeyEntry) -> str:
    """What the mark of a key says: its state, and for a retired one until when it is published."""
    if entry.retired_at is None:
        return entry.state
    lifetime = settings.current().id_token_lifetime + timedelta(minutes=5)
    return (datetime.fromisoformat(entry.retired_at) + lifetime).isoformat()


def _key_differences(known: dict[str, str]) -> list[str]:
    """During a rotation folders differ for a while, and may: each key is published before it
    signs, and after it until its last token has expired.
    """
    if not known:
        return []
    entries = keyring().entries()
    sentences = [
        f"the key {entry.kid} signs here, and the other machines don't publish it"
        for entry in entries
        if entry.state == "current"
        and not entry.encrypts
        and not _is_published(known.get(_mark_of(entry)))
    ]
    published = {entry.kid for entry in entries}
    missing = sorted(
        name.removeprefix(KEY)
        for name, is_now in known.items()
        if is_now == "current" and name.startswith(KEY)
    )
    sentences += [
        f"the key {kid} signs on other machines, and is not published here"
        for kid in missing
        if kid not in published
    ]
    return sentences


def _is_published(state: str | None) -> bool:
    if state is None:
        return False
    return state in {"next", "current"} or clock.now() < datetime.fromisoformat(state)


def _fingerprints(ours: Settings) -> dict[str, list[str]]:
    """Those of each secret's list, the newest first."""
    identity = db.session.scalar(select(DatabaseIdentity.id)) or ""
    made = {}
    for name in SHARED:
        value = getattr(ours, name)
        if isinstance(value, Secret):
            made[name] = [beginnings.agreed(name, each, identity) for each in all_of(value)]
        else:
            made[name] = [beginnings.agreed(name, ours.subject_key, identity, value)]
    return made
