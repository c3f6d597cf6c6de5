"""Interactions: one browser's way through our pages, and the request that waits at its end.

An interaction belongs to the cookie that began it (security rule S10): without that cookie
its address is worth nothing. It begins without a row: the browser carries it in the address of
its pages until somebody does something (rule N6). Steps are taken by atomic updates.
"""

from datetime import timedelta
from typing import Any

from cryptography.fernet import InvalidToken, MultiFernet
from sqlalchemy import ColumnElement, and_, select, true, update

from idp import clock
from idp.database import (
    ID_LENGTH,
    db,
    hashes,
    keep_newest,
    keyed_hash,
    opaque_id,
    transaction,
    update_all,
    upserting,
)
from idp.sessions import carried, sealing
from idp.sessions.models import Interaction

PENDING_LIFETIME = timedelta(minutes=10)
"""How long a proved first factor waits for the second."""

MOST_PENDING = 20
"""Waiting requests of one browser that are stored at once; an older one makes room."""

_ANOTHER = "another"
"""In place of a session's id: whoever is signed in is not the one who goes on here."""
_new_id = opaque_id("i")
_ALWAYS = true()
_CARRIED = (
    "browser_hash", "client_id", "request", "created_at", "expires_at", "sealed_token",
    "goes_without", "consented", "stays",
)  # fmt: skip


def begin(
    browser: str,
    client_id: str | None = None,
    request: dict[str, Any] | None = None,
    row_id: str | None = None,
) -> Interaction:
    """Begin an interaction in this browser; ``request`` is a validated authorization request.

    Nothing is stored. One that is ``too_long`` for an address has to be kept at once. ``row_id``:
    one of ``id_for``, so that what is begun twice is one.
    """
    begun = carried.fresh(row_id or _new_id(), browser_hash(browser), client_id, request or {})
    carried.renew(begun)
    return begun


def id_for(browser: str, request: str) -> str:
    """The id of this browser's one way through a request that has a name of its own."""
    return f"i_{hashes.derived('interaction of a request', f'{browser}.{request}')[:22]}"


def too_long(interaction: Interaction) -> bool:
    """Whether the browser can't carry this interaction."""
    return len(interaction.id) > carried.LONGEST


def is_carried(interaction: Interaction) -> bool:
    """Whether nothing is stored of this interaction yet."""
    return interaction.id != interaction.carried and bool(interaction.carried)


def keep(interaction: Interaction) -> None:
    """Make the row of an interaction, where there is none yet."""
    if interaction.carried:
        _change(interaction)


def find(interaction_id: str, browser: str) -> Interaction | None:
    """The interaction, finished or not, if it is this browser's and has not expired."""
    mine, row_id = None, interaction_id
    if len(interaction_id) > ID_LENGTH:
        mine = carried.opened(interaction_id, browser_hash(browser))
        if mine is None:
            return None
        row_id = mine.carried
    row = db.session.scalars(
        select(Interaction).where(
            Interaction.id == row_id,
            Interaction.browser_hash == browser_hash(browser),
            Interaction.expires_at > clock.now(),
        )
    ).one_or_none()
    return row or mine


def client_of(interaction_id: str) -> str | None:
    """The application of an interaction, whoever asks and also after its end.

    The id is unguessable, and what it yields is public: the application's own start page.
    """
    if len(interaction_id) > ID_LENGTH:
        return carried.client_of(interaction_id)
    return db.session.scalars(
        select(Interaction.client_id).where(Interaction.id == interaction_id)
    ).one_or_none()


def newest_waiting(browser: str, seen_last: str = "") -> Interaction | None:
    """The last request of an application that still waits in this browser.

    ``seen_last``: the id of the one that the browser itself remembers.
    """
    interaction = find(seen_last, browser) if seen_last else None
    if (
        interaction is not None
        and interaction.client_id is not None
        and interaction.completed_at is None
    ):
        return interaction
    return db.session.scalars(
        select(Interaction)
        .where(
            Interaction.browser_hash == browser_hash(browser),
            Interaction.client_id.is_not(None),
            Interaction.completed_at.is_(None),
            Interaction.expires_at > clock.now(),
        )
        .order_by(Interaction.created_at.desc())
        .limit(1)
    ).one_or_none()


def seal_token(interaction: Interaction, browser: str, clear: str) -> None:
    """Keep an opened mail's token with the interaction, readable only with this browser's cookie.

    ``browser``: the part of the cookie that goes when its person does (sign-out).

    The database alone never yields the token (security rule P6): the key is derived from the
    cookie, of which only a hash is stored.
    """
    _seal(interaction, _cipher(interaction, browser).encrypt(clear.encode()))


def opened_token(interaction: Interaction, browser: str) -> str | None:
    """The token of the mail that was opened in this interaction, in clear; None without one."""
    if interaction.sealed_token is None:
        return None
    try:
        return _cipher(interaction, browser).decrypt(interaction.sealed_token.encode()).decode()
    except InvalidToken:
        return None


def seal_link(interaction: Interaction, browser: str, purpose: str, secret: str) -> None:
    """Keep the secret of a mail's link, as ``seal_token`` does a token.

    Each ``purpose`` is sealed by a key of its own: what was opened for one page is nothing on
    another (security rule P12).
    """
    cipher = _cipher(interaction, browser, f"opened {purpose} link")
    _seal(interaction, cipher.encrypt(secret.encode()))


def opened_link(interaction: Interaction, browser: str, purpose: str) -> str | None:
    """The secret of the link of this purpose that was opened in this interaction, in clear."""
    if interaction.sealed_token is None:
        return None
    cipher = _cipher(interaction, browser, f"opened {purpose} link")
    try:
        return cipher.decrypt(interaction.sealed_token.encode()).decode()
    except InvalidToken:
        return None


def verify_token(interaction: Interaction, token_id: str) -> None:
    """Note that this interaction proved a token: opens « new password » for it alone."""
    _change(interaction, verified_token_id=token_id)


def pend(interaction: Interaction, proof: str) -> None:
    """Keep a proved first factor until the second comes; a later one takes its place.

    What led to it – an opened mail, a proved token – is done with.
    """
    _change(
        interaction,
        pending_proof=proof,
        pending_at=clock.now(),
        verified_token_id=None,
        sealed_token=None,
    )


def pending(interaction: Interaction) -> str | None:
    """The first factor that waits in this interaction, unless it has waited for too long."""
    if interaction.pending_at is None or interaction.completed_at is not None:
        return None
    if not clock.is_within(interaction.pending_at, PENDING_LIFETIME):
        return None
    return interaction.pending_proof


def take_pending(interaction: Interaction) -> bool:
    """Use up the waiting first factor: true for exactly one caller (security rule P11)."""
    with transaction() as writes:
        taken = writes.execute(
            update(Interaction)
            .where(
                Interaction.id == interaction.id, Interaction.pending_at == interaction.pending_at
            )
            .values(pending_proof=None, pending_at=None)
        ).rowcount
    return bool(taken)


def go_without(interaction: Interaction) -> None:
    """Note that the guardian answers this request without the stronger sign-in it wished for."""
    _change(interaction, goes_without=True)


def stay(interaction: Interaction, *, wanted: bool) -> None:
    """Note whether who signs in here wants this browser to stay signed in."""
    if interaction.stays != wanted:
        _change(interaction, stays=wanted)


def signed_in(interaction: Interaction, session_id: str) -> None:
    """Note that this session signed in for this very request; a proved token is done with."""
    _change(
        interaction,
        signed_in_session_id=session_id,
        verified_token_id=None,
        sealed_token=None,
        pending_proof=None,
        pending_at=None,
    )


def ask_for_another(interaction: Interaction) -> None:
    """Note that somebody else than who is signed in goes on with this request: what was answered
    in it counts no more. Nobody's session ends before that somebody has signed in.
    """
    _change(
        interaction,
        signed_in_session_id=_ANOTHER,
        child_id=None,
        consented=False,
        goes_without=False,
        stays=False,
        pending_proof=None,
        pending_at=None,
    )


def keep_the_same(interaction: Interaction) -> None:
    """Note that it is whoever is signed in after all."""
    _change(
        interaction, if_=Interaction.signed_in_session_id == _ANOTHER, signed_in_session_id=None
    )


def awaits_another(interaction: Interaction) -> bool:
    """Whether somebody else than who is signed in has to sign in for this request."""
    return interaction.signed_in_session_id == _ANOTHER


def change_request(interaction: Interaction, request: dict[str, Any]) -> None:
    """Note what of the request is answered."""
    _change(interaction, request=request)


def chose(interaction: Interaction, child_id: str) -> None:
    """Note the child chosen on this interaction's page; what was allowed was about another."""
    _change(interaction, child_id=child_id, consented=False)


def consented(interaction: Interaction) -> None:
    """Note that the guardian allowed this very request."""
    _change(interaction, consented=True)


def forget_person(*which: ColumnElement[bool]) -> int:
    """Forget what somebody has left in these interactions: opened and proved tokens, answers to
    our questions. The requests go on waiting for whoever comes next.
    """
    left = {
        "sealed_token": None,
        "verified_token_id": None,
        "pending_proof": None,
        "pending_at": None,
        "goes_without": False,
        "stays": False,
        "signed_in_session_id": None,
        "child_id": None,
        "consented": False,
    }
    return update_all(Interaction, *which, Interaction.completed_at.is_(None), **left)


def complete(interaction: Interaction) -> bool:
    """Finish once: true for the one caller that may answer the application."""
    finished = {"completed_at": clock.now(), "sealed_token": None}
    return _change(interaction, if_=Interaction.completed_at.is_(None), **finished)


def _change(interaction: Interaction, *, if_: ColumnElement[bool] = _ALWAYS, **values: Any) -> bool:
    """Change the row, or make it as it shall be; false where it is not so, or not any more."""
    with transaction() as writes:
        if not interaction.carried:
            row = update(Interaction).where(Interaction.id == interaction.id, if_)
            return bool(writes.execute(row.values(**values)).rowcount)
        if is_carried(interaction):
            _make_room(interaction)
        changed = writes.execute(_row(interaction, if_, values)).one_or_none()
    for name, value in {**values, "id": interaction.carried}.items():
        setattr(interaction, name, value)
    return changed is not None


def _row(interaction: Interaction, if_: ColumnElement[bool], values: dict[str, Any]) -> Any:
    """The statement that stores a carried interaction, or changes the row that it has got."""
    row = {name: getattr(interaction, name) for name in _CARRIED}
    insert = upserting(Interaction).values(**{**row, "id": interaction.carried, **values})
    if values:
        insert = insert.on_conflict_do_update(index_elements=["id"], set_=values, where=if_)
    else:
        insert = insert.on_conflict_do_nothing(index_elements=["id"])
    return insert.returning(Interaction.id)


def _make_room(interaction: Interaction) -> None:
    # Those that are answered stay: they see to it that no request is answered twice.
    keep_newest(
        Interaction.id,
        and_(
            Interaction.browser_hash == interaction.browser_hash,
            Interaction.completed_at.is_(None),
        ),
        by=Interaction.created_at,
        most=MOST_PENDING - 1,
    )


def _seal(interaction: Interaction, sealed: bytes) -> None:
    """A visit stores nothing: what it brought is carried, as long as all the rest is."""
    if is_carried(interaction):
        interaction.sealed_token = sealed.decode()
        carried.renew(interaction)
    else:
        _change(interaction, sealed_token=sealed.decode())


def browser_hash(browser: str) -> str:
    """What is stored of the browser that something belongs to."""
    return keyed_hash("browser", browser)


def _cipher(interaction: Interaction, browser: str, what: str = "opened token") -> MultiFernet:
    return sealing.cipher(what, interaction.carried or interaction.id, browser)
