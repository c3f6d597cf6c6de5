"""Registering client applications: the one service under command line, desk and RFC 7591."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from idp import clock, correlation
from idp.clients import algorithms, audit_log, kept, logos, sectors, settled
from idp.clients.client_secrets import has_secret, hashed_secret, new_secret
from idp.clients.metadata import checked
from idp.clients.models import Client, ClientRow, ClientSchool, ClientVersion
from idp.database import db, opaque_id, transaction, update_all
from idp.database.prepared import Prepared, columns, only
from idp.errors import Conflict, Invalid, NotFound
from idp.people import schools
from idp.people.models import School

__all__ = ["Registered", "find", "register"]


_LIVE_CLIENT: Final[Prepared[ClientVersion]] = Prepared(
    select(*columns(Client, ClientVersion)).where(
        Client.id == bindparam("client_id"), Client.disabled_at.is_(None)
    ),
    ClientVersion,
    into=only,
)


@dataclass(frozen=True)
class Registered:
    """A client, with its secret in clear: the only moment when it can be seen."""

    client: Client
    secret: str | None
    newest_ended: bool = False
    """Whether a rotation has ended the secret of the one before, too, which may be in use."""


def register(
    metadata: Mapping[str, Any],
    *,
    school_ids: Sequence[str],
    client_id: str | None = None,
    by_itself: bool = False,
) -> Registered:
    """Register an application for one or several schools; ``by_itself``: no operator looked at it.

    ``metadata``: RFC 7591 client metadata and our own members (docs/clients.md).
    Raises ``Invalid`` naming the field.
    """
    document = examined(metadata, school_ids)
    sectors.check(document)
    logo = logos.read(document)
    secret = new_secret(document)
    new_id = client_id or opaque_id("app")()
    client = Client(
        id=new_id,
        name=document["client_name"],
        metadata_=document,
        secret_hash=secret and hashed_secret(secret),
        sector=sectors.sector(document, new_id, school_ids, proved=not by_itself),
        made_by=correlation.current().actor or None,
    )
    with transaction() as session:
        _check_schools(school_ids)
        session.add(client)
        try:
            session.flush()
        except IntegrityError:  # the same form, sent twice: its id is registered already
            raise Conflict("outdated", client=client.id) from None
        _serve(client.id, school_ids)
        logos.keep(client.id, document, logo)
        algorithms.show_before_telling(document)
        audited = audit_log.audited_metadata(document, school_ids)
        audit_log.record("client_created", client.id, school_ids, after=audited)
    return Registered(client, secret)


def change(
    client_id: str,
    metadata: Mapping[str, Any],
    *,
    school_ids: Sequence[str] | None = None,
    version: int | None = None,
    by_itself: bool = False,
) -> Registered:
    """Replace the metadata (RFC 7592 §2.2). The sector stays: subjects never change. What an
    operator changes is settled from then on; ``by_itself``: no operator does it.

    A secret comes with it where the client has none and now needs one; where it needs none any
    more, its secrets end. ``version``: the one that the change was made from. Raises
    ``Invalid``, ``NotFound``, and ``Conflict`` where the version has moved on.
    """
    before = db.session.get_one(Client, get_client(client_id).id, populate_existing=True)
    served = _served(client_id)
    wanted = served if school_ids is None else school_ids
    document = examined(metadata, wanted)
    sectors.check(document, before.metadata_)
    logo = logos.read(document)
    shown_before = before.metadata_ if before.disabled_at is None else None
    audited_before = audit_log.audited_metadata(before.metadata_, served)
    secret = new_secret(document) if before.secret_hash is None else None
    values: dict[str, Any] = {"metadata_": document, "name": document["client_name"]}
    if before.registered_by is not None and not by_itself:
        values["settled"] = settled.noted(before.settled, before.metadata_, document)
    if secret is not None:
        values["secret_hash"] = hashed_secret(secret)
    elif not has_secret(document):
        values |= {"secret_hash": None} | _NO_FORMER_SECRET
    with transaction() as session:
        _check_schools(wanted)
        _move(client_id, before.version if version is None else version, values)
        algorithms.show_before_telling(document, shown_before)
        logos.keep(client_id, document, logo)
        if set(wanted) != set(served):
            session.execute(delete(ClientSchool).where(ClientSchool.client_id == client_id))
            _serve(client_id, wanted)
        about = [*served, *wanted]
        audit_log.record(
            "client_changed",
            client_id,
            about,
            audited_before,
            audit_log.audited_metadata(document, wanted),
        )
    return Registered(get_client(client_id), secret)


def check_elsewhere(
    metadata: Mapping[str, Any],
    school_ids: Sequence[str],
    before: Mapping[str, Any] | None = None,
) -> None:
    """Ask the servers that a registration names, before the transaction that stores it.

    ``before``: the present registration. Raises ``Invalid``.
    """
    document = examined(metadata, school_ids)
    sectors.check(document, before)
    logos.read(document)


def find(client_id: str) -> ClientRow | None:
    """The client of this id, unless it is disabled; one look-up by primary key."""
    if not is_id(client_id):
        return None
    version = _LIVE_CLIENT.one_or_none(client_id=client_id)
    return None if version is None else kept.client(version)


def is_id(text: str) -> bool:
    """Whether a client can have this id at all: what no database compares is asked of none."""
    return 0 < len(text) <= 64 and text.isprintable()


def get_client(client_id: str) -> Client:
    """The client of this id, disabled or not. Raises ``NotFound``."""
    client = db.session.get(Client, client_id)
    if client is None:
        raise NotFound("client", client_id)
    return client


def list_clients() -> list[Client]:
    """Every client, disabled ones too, by name."""
    return list(db.session.scalars(select(Client).order_by(Client.name, Client.id)))


def schools_of(client_id: str, most: int | None = None) -> list[School]:
    """The schools that a client serves, or the first so many of them; one query."""
    served = _of_client(select(School), client_id)
    return list(db.session.scalars(served.order_by(School.name).limit(most)))


def only_school_of(client_id: str) -> tuple[School | None, bool]:
    """The school that a client serves, where it is one alone; and whether any that it serves lets
    families stay signed in, or of none the operator. One query of two rows: a region's application
    may serve thousands.
    """
    lets_stay = _of_client(select(School.id), client_id).where(schools.lets_stay())
    any_does = lets_stay.correlate(None).exists()
    served = _of_client(select(School, any_does), client_id).limit(2)
    rows = db.session.execute(served).all()
    if not rows:
        return None, schools.any_lets_stay(())
    return rows[0][0] if len(rows) == 1 else None, rows[0][1]


def _of_client(query: Any, client_id: str) -> Any:
    return query.join(ClientSchool, ClientSchool.school_id == School.id).where(
        ClientSchool.client_id == client_id
    )


def clients_of_schools(school_ids: Sequence[str]) -> list[Client]:
    """The applications in use at some schools that have a start page; one query."""
    clients = db.session.scalars(
        select(Client)
        .where(
            Client.disabled_at.is_(None),
            Client.id.in_(
                select(ClientSchool.client_id).where(ClientSchool.school_id.in_(school_ids))
            ),
        )
        .order_by(Client.name)
    )
    return [client for client in clients if start_page(client)]


def start_page(client: ClientRow) -> str | None:
    """Where a parent starts this application (OpenID Connect Core §4, or its home page)."""
    page: str | None = client.metadata_.get("initiate_login_uri") or client.metadata_.get(
        "client_uri"
    )
    return page


def rotate_secret(
    client_id: str, *, overlap: timedelta = timedelta(0), version: int | None = None
) -> Registered:
    """Give a new secret; the one that the application uses goes on working for ``overlap``.

    While a former one works, that one counts as used: the newest may have been lost before
    anybody entered it, and ends. Who has entered it calls ``end_former_secret`` first.
    ``version``: the one that was looked at; a form that is sent twice rotates once. Raises
    ``Conflict``, ``NotFound``, and ``Invalid`` for a client without a secret.
    """
    secret = new_secret(get_client(client_id).metadata_)
    if secret is None:
        raise Invalid("token_endpoint_auth_method", "no_secret")
    with transaction() as session:
        lock = {"key_share": True}
        before = session.get_one(Client, client_id, populate_existing=True, with_for_update=lock)
        again = overlaps(before)
        beside: dict[str, Any] = _NO_FORMER_SECRET
        if overlap:
            used = before.previous_secret_hash if again else before.secret_hash
            until = clock.now() + overlap
            if again and before.previous_secret_expires_at:
                until = max(until, before.previous_secret_expires_at)  # as was promised
            beside = {"previous_secret_hash": used, "previous_secret_expires_at": until}
        _move(client_id, version, {"secret_hash": hashed_secret(secret)} | beside)
        seconds = overlap.total_seconds()
        audit_log.record("client_secret_rotated", client_id, _served(client_id), overlap=seconds)
    return Registered(get_client(client_id), secret, newest_ended=again)


def overlaps(client: ClientRow) -> bool:
    """Whether the secret from before the last rotation still works."""
    until = client.previous_secret_expires_at
    return bool(client.previous_secret_hash and until and until > clock.now())


def end_former_secret(client_id: str) -> bool:
    """Let the former secret work no longer, although its overlap is not over."""
    get_client(client_id)
    with transaction() as session:
        ended = session.execute(
            update(Client)
            .where(Client.id == client_id, Client.previous_secret_hash.is_not(None))
            .values(**_NO_FORMER_SECRET)
        ).rowcount
        if ended:
            audit_log.record("client_secret_ended", client_id, _served(client_id))
    return bool(ended)


def disable(client_id: str) -> bool:
    """Disable a client: its codes and tokens stop working with the next request."""
    get_client(client_id)
    with transaction() as session:
        disabled = session.execute(
            update(Client)
            .where(Client.id == client_id, Client.disabled_at.is_(None))
            .values(disabled_at=clock.now())
        ).rowcount
        if disabled:
            audit_log.record("client_disabled", client_id, _served(client_id))
    return bool(disabled)


def enable(client_id: str) -> bool:
    """Let a disabled client work again."""
    document = get_client(client_id).metadata_
    with transaction() as session:
        enabled = session.execute(
            update(Client)
            .where(Client.id == client_id, Client.disabled_at.is_not(None))
            .values(disabled_at=None)
        ).rowcount
        if enabled:
            algorithms.show_before_telling(document)
            audit_log.record("client_enabled", client_id, _served(client_id))
    return bool(enabled)


_NO_FORMER_SECRET: Final = {"previous_secret_hash": None, "previous_secret_expires_at": None}


def examined(metadata: Mapping[str, Any], school_ids: Sequence[str]) -> dict[str, Any]:
    """The complete document. Raises ``Invalid`` with all that is wrong with it and its
    schools.
    """
    unserved = Invalid("schools", "without_school")
    try:
        document = checked(metadata)
    except Invalid as problem:
        problem.others += () if school_ids else (unserved,)
        raise
    if not school_ids:
        raise unserved
    return document


def _check_schools(school_ids: Sequence[str]) -> None:
    known = set(db.session.scalars(select(School.id).where(School.id.in_(school_ids))))
    if missing := set(school_ids) - known:
        raise Invalid("schools", "unknown_school", school=min(missing))


def _serve(client_id: str, school_ids: Sequence[str]) -> None:
    rows = [{"client_id": client_id, "school_id": each} for each in sorted(set(school_ids))]
    db.session.execute(insert(ClientSchool), rows)


def _served(client_id: str) -> list[str]:
    schools = select(ClientSchool.school_id).where(ClientSchool.client_id == client_id)
    return list(db.session.scalars(schools))


def _move(client_id: str, version: int | None, values: dict[str, Any]) -> None:
    """Change the row, unless it moved on since ``version``."""
    seen = Client.version == version if version is not None else true()
    with transaction() as session:
        moved = update_all(
            Client, Client.id == client_id, seen, **values, version=Client.version + 1
        )
        if not moved:
            raise Conflict("outdated", client=client_id)
        session.expire(get_client(client_id))
