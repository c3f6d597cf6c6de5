"""The session of a browser that comes back and stays signed in: it goes on, or one that follows it.

Nothing was proved anew: what was done, and when, is what it was; that it is still the same person,
nobody claims (``acr`` « 0 », OpenID Connect Core §2).
"""

from sqlalchemy import Insert, insert, literal, select

from idp import clock
from idp.audit import events
from idp.database import keyed_hash, transaction, update_all
from idp.sessions import assurance, service
from idp.sessions.models import BrowserSession, ChildChoice


def begin_after(last: BrowserSession, secret: str, device: str) -> BrowserSession:
    """Begin a session that stands on the sign-in of the browser's last one."""
    session = service.made(
        secret,
        clock.now(),
        device=device,
        account_id=last.account_id,
        auth_time=last.auth_time,
        auth_time_proved=last.auth_time_proved,
        link_id=last.link_id,
        amr=last.amr,
        acr=assurance.LONG_LIVED_COOKIE,
        passkey_id=last.passkey_id,
        persistent_login_id=last.persistent_login_id,
    )
    with transaction() as writes:
        writes.add(session)
        writes.flush()
        writes.execute(_choices_of(last.id, session.id))
        _record_return(session)
    return session


def _choices_of(last_id: str, session_id: str) -> Insert:
    """The children chosen in the browser's last session stay chosen: nobody chooses every day."""
    kept = ("school_id", "child_id", "client_id", "selected_at")
    columns_ = [getattr(ChildChoice, name) for name in kept]
    chosen = select(literal(session_id), *columns_).where(ChildChoice.session_id == last_id)
    return insert(ChildChoice).from_select(["session_id", *kept], chosen)


def resume(session: BrowserSession, secret: str) -> None:
    """Let a session that is in use go on in its browser, which has lost its cookie."""
    changes = {"acr": assurance.LONG_LIVED_COOKIE, "proved_at": None, "last_seen_at": clock.now()}
    hashed = keyed_hash("session", secret)
    with transaction():
        update_all(BrowserSession, BrowserSession.id == session.id, secret_hash=hashed, **changes)
        _record_return(session)


def _record_return(session: BrowserSession) -> None:
    events.record(
        "device_returned",
        account_id=session.account_id,
        session_id=session.id,
        device=session.device,
    )
