"""Two guardians who have everything that may end: each thing several times, each with its marks."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from idp import clock
from idp.clients.models import Client, RegistrationToken
from idp.credentials import devices, email_changes, one_time_tokens
from idp.credentials.models import (
    EmailChange,
    KnownDevice,
    OneTimeToken,
    Passkey,
    PasskeyChallenge,
    Password,
    RecoveryCode,
    TotpEnrolment,
    TotpSecret,
)
from idp.database import db, keyed_hash, transaction
from idp.federation import authorization_request
from idp.federation.models import FederatedLink, FederationState, PendingLink
from idp.lifecycle.endings import Thing
from idp.mail.models import OutboxMessage
from idp.oidc.models import (
    AuthorizationCode,
    ChildConsent,
    Consent,
    DeviceCode,
    Grant,
    RefreshToken,
)
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, School
from idp.sessions import interactions, persistent, submissions
from idp.sessions.models import BrowserSession, ChildChoice, FormSubmission, Interaction
from tests import factories


@dataclass(frozen=True)
class Kept:
    """One thing of somebody's, with what tells whether a cause is about it."""

    thing: Thing
    name: str
    owner: str
    is_alive: Callable[[], bool]
    session: str = ""
    child: str = ""
    client: str = ""
    school: str = ""
    browser: str = ""
    interaction: str = ""
    offline: bool = False
    recent: bool = False
    """Gained since somebody else may have been in."""


@dataclass
class Person:
    """A guardian of two children, with everything."""

    account: Account
    children: list[Child]
    sessions: dict[str, str]
    device: str
    browser: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.account.id


@dataclass
class Everything:
    """Claire, about whom a cause is; Paul, who only stands by; what they have."""

    school: School
    elsewhere: School
    portal: Any
    other: Any
    since: datetime
    claire: Person
    paul: Person
    kept: list[Kept]


def make(number: int, **metadata: Any) -> Everything:
    """Make both with everything, in world ``number``. The password is ``factories.PASSWORD``.

    ``metadata``: of the two applications.
    """
    school, elsewhere = factories.school(), factories.school()
    portal, other = (factories.client_app(school, **metadata) for _ in range(2))
    clients = {"portal": portal.client.id, "other": other.client.id}
    since = clock.now() - timedelta(days=1)
    kept: list[Kept] = []
    people = []
    for username in ("claire", "paul"):
        account, children = factories.family(
            school,
            "Lina",
            "Tom",
            username=f"{username}{number}",
            email=f"{username}{number}@x.example",
            proved=True,
        )
        maker = _Maker(account, children, clients, since, kept, [school, elsewhere])
        people.append(maker.person())
    return Everything(school, elsewhere, portal, other, since, people[0], people[1], kept)


class _Maker:
    def __init__(
        self,
        account: Account,
        children: list[Child],
        clients: dict[str, str],
        since: datetime,
        kept: list[Kept],
        schools: list[School],
    ) -> None:
        self.schools = schools
        self.account, self.children, self.clients, self.kept = account, children, clients, kept
        self.old, self.new = since - timedelta(days=9), since + timedelta(hours=1)
        self.since = since
        self.browser = f"{account.username}'s browser".ljust(30, "-")

    def person(self) -> Person:
        ids: dict[str, str] = {}
        person = Person(self.account, self.children, {}, "", self.browser, ids)
        with transaction():
            self._factors(ids)
            self._links(ids)
            self._sessions(person)
            self._screens()
            self._registrations()
            self._permissions()
            self._mailed(ids)
            self._addresses(ids)
            person.device = self._devices()
            self._carried(ids)
            self._questions()
        return person

    def _keep(self, thing: Thing, name: str, row: Any, alive: str = "", **marks: Any) -> Any:
        """``alive``: the column that says so: None while it lives, or the row itself is gone."""
        db.session.add(row)
        db.session.flush()
        table, key = type(row), _key_of(row)

        def is_alive() -> bool:
            found: Any = db.session.get(table, key, populate_existing=True)
            return found is not None and (not alive or getattr(found, alive) is None)

        self.kept.append(Kept(thing, name, self.account.id, is_alive, **marks))
        return row

    def _keep_as(
        self, thing: Thing, name: str, row: Any, lives: Callable[[Any], bool], **marks: Any
    ) -> Any:
        """The same, of a row that goes on when this of it ends."""
        db.session.add(row)
        db.session.flush()
        table, key = type(row), _key_of(row)

        def is_alive() -> bool:
            found: Any = db.session.get(table, key, populate_existing=True)
            return found is not None and lives(found)

        self.kept.append(Kept(thing, name, self.account.id, is_alive, **marks))
        return row

    def _factors(self, ids: dict[str, str]) -> None:
        owner, epoch = self.account.id, self.account.credentials_epoch
        self._keep_as(
            Thing.PROOFS, "a proof", self.account, lambda found: found.credentials_epoch == epoch
        )
        password = db.session.get_one(Password, owner)
        password.set_at = password.rooted_at = self.old
        before = password.hash
        self._keep_as(Thing.PASSWORD, "the password", password, lambda found: found.hash == before)
        for name, at in (("old", self.old), ("new", self.new)):
            passkey = Passkey(
                account_id=owner, credential_id=secrets.token_hex(8), public_key=b"k", name=name,
                created_at=at,
            )  # fmt: skip
            self._keep(Thing.PASSKEYS, name, passkey, recent=at == self.new)
            ids[f"{name} passkey"] = passkey.id
        app = TotpSecret(account_id=owner, sealed_secret="s", created_at=self.new)
        self._keep(Thing.APP, "the app", app, recent=True)
        code = RecoveryCode(account_id=owner, code_hash=keyed_hash("c", owner))
        self._keep(Thing.RECOVERY_CODES, "a code", code, recent=True)
        enrolment = TotpEnrolment(
            account_id=owner, browser_hash=keyed_hash("b", owner), sealed_secret="s",
            expires_at=_later(),
        )  # fmt: skip
        self._keep(Thing.ENROLMENTS, "an app that waits", enrolment)

    def _links(self, ids: dict[str, str]) -> None:
        for name, at in (("old", self.old), ("new", self.new)):
            link = FederatedLink(
                account_id=self.account.id, provider=name, issuer=f"https://{name}.example",
                subject=self.account.id, linked_at=at,
            )  # fmt: skip
            self._keep(Thing.LINKS, name, link, recent=at == self.new)
            ids[f"{name} link"] = link.id

    def _sessions(self, person: Person) -> None:
        ids = person.ids
        marks: dict[str, dict[str, Any]] = {
            "here": {},
            "there": {},
            "by passkey": {"passkey_id": ids["new passkey"]},
            "by link": {"link_id": ids["new link"]},
        }
        for number, (name, more) in enumerate(marks.items()):
            session = BrowserSession(
                secret_hash=keyed_hash("s", self.account.id + name), account_id=self.account.id,
                auth_time=clock.now(), amr="pwd", acr="1", expires_at=_later(), **more,
            )  # fmt: skip
            self._keep(Thing.SESSIONS, name, session, "ended_at", session=name)
            person.sessions[name] = session.id
            key = persistent.begin(self.account.id, session.id, timedelta(days=9))
            ids[f"key of {name}"] = key.cookie
            child = self.children[number % 2]
            choice = ChildChoice(
                session_id=session.id, school_id=child.school_id, child_id=child.id
            )
            marked = {"session": name, "child": child.given_name}
            self._keep(Thing.CHOICES, f"of {name}", choice, **marked)
            for client, offline in (("portal", False), ("other", True)):
                grant = Grant(
                    account_id=self.account.id, client_id=self.clients[client],
                    session_id=session.id, child_id=child.id, auth_time=clock.now(), amr="pwd",
                    acr="1", scope="openid offline_access" if offline else "openid",
                )  # fmt: skip
                name_ = f"{client} in {name}"
                where = {**marked, "client": client, "offline": offline}
                self._keep(Thing.GRANTS, name_, grant, "ended_at", **where)
                ids[name_] = grant.id
                db.session.add_all(_given(grant.id, self.account.username + name_))

    def _screens(self) -> None:
        for client in ("portal", "other"):
            text = f"{self.account.username}'s screen for {client}"
            waits = DeviceCode(
                device_hash=keyed_hash("d", text), user_hash=keyed_hash("u", text),
                client_id=self.clients[client], request={}, poll_interval=5, expires_at=_later(),
            )  # fmt: skip
            self._keep(Thing.DEVICE_CODES, client, waits, "denied_at", client=client)

    def _registrations(self) -> None:
        name = self.account.username
        initial = RegistrationToken(
            token_hash=keyed_hash("n", name or ""), label="a developer", schools=[], scope="openid",
            pkce_optional=False, uses_left=3, expires_at=_later(),
        )  # fmt: skip
        self._keep(Thing.REGISTRATION_TOKENS, "a token", initial, "ended_at")
        itself = Client(
            name="Devoirs", metadata_={}, sector="", registration_token_hash=keyed_hash("m", "x"),
            disabled_at=clock.now(),
        )  # fmt: skip
        self._keep_as(
            Thing.MANAGEMENT,
            "an application's",
            itself,
            lambda found: found.registration_token_hash is not None,
        )

    def _permissions(self) -> None:
        for client, at in (("portal", self.new), ("other", self.old)):
            allowed = {"account_id": self.account.id, "client_id": self.clients[client]}
            marks = {"client": client, "recent": at == self.new}
            consent = Consent(**allowed, scope="openid", granted_at=at)
            self._keep(Thing.CONSENTS, client, consent, "withdrawn_at", **marks)
            for child in self.children:
                name = f"{client} of {child.given_name}"
                about = ChildConsent(**allowed, child_id=child.id, fields="name", granted_at=at)
                marked = {**marks, "child": child.given_name}
                self._keep(Thing.CHILD_CONSENTS, name, about, "withdrawn_at", **marked)

    def _mailed(self, ids: dict[str, str]) -> None:
        for name in ("printed", "mailed"):
            token = OneTimeToken(
                account_id=self.account.id, purpose="password_reset", expires_at=_later(),
                token_hash=keyed_hash("t", self.account.id + name),
                outbox_id=f"m_{self.account.username}" if name == "mailed" else None,
            )  # fmt: skip
            self._keep_as(Thing.TOKENS, name, token, _is_unspent)
            ids[name] = token.id
        mail = OutboxMessage(kind="password_changed", account_id=self.account.id)
        self._keep_as(Thing.MAILS, "a mail", mail, lambda found: found.status == "queued")

    def _addresses(self, ids: dict[str, str]) -> None:
        owner = {"account_id": self.account.id, "new_email": "n@x.example", "undoable": True}
        over = {"confirmed_at": clock.now(), "expires_at": _later()}
        for name, at in (("older", self.old), ("newer", self.since)):
            change = EmailChange(**owner, old_email=f"{name}@x.example", asked_at=at, **over)
            marks = {"recent": at == self.since}
            self._keep_as(Thing.WAYS_BACK, name, change, _is_open, **marks)
            ids[name] = change.id
        waiting = EmailChange(**owner, old_email=None, asked_at=self.new, expires_at=_later())
        self._keep_as(Thing.ADDRESS_CHANGES, "one that waits", waiting, email_changes.is_waiting)
        ids["waiting"] = waiting.id
        disputed = EmailChange(
            **owner, asked_at=self.old, undone_at=clock.now(), disputed_until=_later(), **over
        )
        self._keep_as(
            Thing.DISPUTES, "a dispute", disputed, lambda found: found.disputed_until is not None
        )

    def _devices(self) -> str:
        clear = ""
        for name in ("there", "here"):
            clear = f"{self.account.id} {name}"
            hashed = devices.device_hash(clear)
            row = KnownDevice(device_hash=hashed, account_id=self.account.id)
            self._keep(Thing.DEVICES, name, row, session=name)
        return clear

    def _carried(self, ids: dict[str, str]) -> None:
        for name in ("this", "that"):
            row = Interaction(
                browser_hash=interactions.browser_hash(self.browser), expires_at=_later(),
                verified_token_id=ids["printed"], pending_proof="{}",
            )  # fmt: skip
            here = {"browser": self.browser, "interaction": name}
            self._keep(Thing.INTERACTIONS, name, row, **here)
            self._keep_as(Thing.STEPS, name, row, lambda found: bool(found.pending_proof), **here)
            ids[f"{name} interaction"] = row.id
            waiting = PendingLink(
                interaction_id=row.id,
                browser_hash=authorization_request.browser_hash(self.browser),
                provider="third", issuer="https://third.example", subject=row.id,
                expires_at=_later(),
            )  # fmt: skip
            self._keep(Thing.WAITING_IDENTITIES, name, waiting, **here)
        here = {"browser": self.browser}
        request = FederationState(
            state_hash=keyed_hash("f", self.browser), provider="third", purpose="sign_in",
            browser_hash=authorization_request.browser_hash(self.browser), expires_at=_later(),
        )  # fmt: skip
        self._keep(Thing.PROVIDER_REQUESTS, "a request", request, **here)
        form = FormSubmission(
            key_hash=keyed_hash("k", self.browser), answer="sealed", expires_at=_later(),
            browser_hash=submissions.browser_hash(self.browser),
        )  # fmt: skip
        self._keep(Thing.FORMS, "a form", form, **here)
        challenge = PasskeyChallenge(
            challenge_hash=keyed_hash("p", self.browser), purpose="sign_in", expires_at=_later(),
            browser_hash=keyed_hash("b", self.browser),
        )  # fmt: skip
        self._keep(Thing.CHALLENGES, "a challenge", challenge)

    def _questions(self) -> None:
        for name, school in zip(("here", "elsewhere"), self.schools, strict=True):
            for pupil in ("Ada", "Max"):
                waiting = LinkRequest(
                    account_id=self.account.id, child_id=factories.child(school, pupil).id,
                    relationship="parent", expires_at=_later(),
                )  # fmt: skip
                about = f"about {pupil} {name}"
                self._keep(Thing.QUESTIONS, about, waiting, "answered_at", school=name)


def without(there: Everything, *things: Thing) -> None:
    """Take from both what would keep a cause from happening at all."""
    tables: dict[Thing, Any] = {Thing.APP: TotpSecret, Thing.RECOVERY_CODES: RecoveryCode}
    with transaction() as writes:
        for thing in things:
            if thing is Thing.DISPUTES:
                writes.execute(update(EmailChange).values(disputed_until=None))
            else:
                writes.query(tables[thing]).delete()
    there.kept[:] = [each for each in there.kept if each.thing not in things]


def token_of(person: Person) -> str:
    """The id of a token that a mail brought, and that works."""
    return person.ids["mailed"]


def _given(grant_id: str, text: str) -> list[Any]:
    redeemed = {"expires_at": _later(), "redeemed_at": clock.now() - timedelta(hours=1)}
    rotated = {"expires_at": _later(), "rotated_at": clock.now() - timedelta(hours=1)}
    code = keyed_hash("code", text)
    return [
        AuthorizationCode(
            code_hash=code, grant_id=grant_id, redirect_uri="https://portal.example/callback",
            **redeemed,
        ),
        RefreshToken(
            token_hash=keyed_hash("refresh token", text), grant_id=grant_id, scope="openid",
            **rotated,
        ),
        RefreshToken(
            token_hash=keyed_hash("refresh token", f"{text}, live"), grant_id=grant_id,
            scope="openid", expires_at=_later(),
        ),
    ]  # fmt: skip


def _key_of(row: Any) -> Any:
    key = type(row).__mapper__.primary_key_from_instance(row)
    return tuple(key) if len(key) > 1 else key[0]


def _is_unspent(token: OneTimeToken) -> bool:
    return isinstance(one_time_tokens.find_by_id(token.id), one_time_tokens.Live) or (
        token.spent_at is None and token.ended_at is None
    )


def _is_open(change: EmailChange) -> bool:
    return change.undone_at is None and change.ended_at is None


def _later() -> datetime:
    return clock.now() + timedelta(days=3)
