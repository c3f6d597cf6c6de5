"""A family of whom everything is kept that can be: every value is found nowhere else."""

from datetime import timedelta
from typing import Any, Final

from idp import clock
from idp.audit import events
from idp.audit.models import AuditEvent
from idp.credentials.models import (
    EmailChange,
    FactorReset,
    Passkey,
    PasskeyChallenge,
)
from idp.database import db, keyed_hash, transaction, update_all
from idp.deliveries.models import EventDelivery
from idp.federation.models import FederatedLink, FederationState, PendingLink
from idp.mail.models import OutboxMessage
from idp.oidc.models import DeviceCode, Grant, PushedRequest
from idp.people import accounts, children, linking
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child, Guardianship, School
from idp.privacy import erasure
from idp.roster.cells import name_key
from idp.roster.models import (
    RosterChange,
    RosterGuardian,
    RosterGuardianship,
    RosterIdentity,
    RosterJob,
    RosterLink,
    RosterMatch,
    RosterPair,
    RosterPreview,
    RosterPupil,
    RosterRejection,
    RosterRun,
    RosterRunSchool,
)
from idp.roster.question_models import RosterQuestion, RosterRemark
from idp.sessions.models import BrowserSession, Interaction
from tests.endings import everything

GUARDIAN: Final = {
    "given name": "Zélie-Aurore",
    "family name": "Vandenbröcke",
    "name before": "Quintelière",
    "user name": "zeliaurore77",
    "address": "Zelie.Vdb@maison-privee.example",
    "address before": "ancienne@poste-perdue.example",
    "address wanted": "nouvelle@boite-secrete.example",
    "number": "GUARD-88412",
    "identity": "upstream-5561902",
    "network address": "203.0.113.77",
    "device": "Firefox, Appareil-Zelia",
    "passkey": "iPhone de Zélinette",
}
CHILD: Final = {
    "given name": "Théophania",
    "family name": "Petitjeannot",
    "name before": "Rosemondine",
    "number": "PUPIL-30977",
    "reason": "Motif-Confidentiel-42",
}


class Family:
    """Zélie and her child, in a school where another family is, too."""

    def __init__(self) -> None:
        self.world = everything.make(1)
        self.school: School = self.world.school
        self.account: Account = self.world.claire.account
        self.child: Child = self.world.claire.children[0]
        self.sister: Child = self.world.claire.children[1]
        self.other: Account = self.world.paul.account
        with transaction():
            self._named()
            self._former()
            self._signed_in()
            self._steps()
            self._mails()
            self._files()
            self._recorded()
        erasure.request_erasure(self.account.id)
        db.session.expire_all()

    def _named(self) -> None:
        account, child = accounts.lock_account(self.account.id), self.child
        assert account is not None
        accounts.change_name(account, GUARDIAN["given name"], GUARDIAN["family name"])
        accounts.change_username(account, GUARDIAN["user name"])
        accounts.change_email(account, GUARDIAN["address"], proved=True)
        children.change_child(child, CHILD["given name"], CHILD["family name"], "3C")
        child.sourced_id = CHILD["number"]
        linking.link_guardian(self.other.id, child.id, "relative")
        names = f"{GUARDIAN['given name']} {GUARDIAN['family name']}"
        theirs = Guardianship.account_id == self.other.id, Guardianship.child_id == child.id
        update_all(Guardianship, *theirs, ended_reason=f"{names} asked: {CHILD['reason']}")
        mine = Guardianship.account_id == account.id, Guardianship.child_id == child.id
        update_all(Guardianship, *mine, ended_reason=CHILD["reason"])

    def _former(self) -> None:
        db.session.add_all(
            [
                EmailChange(
                    account_id=self.account.id,
                    old_email=GUARDIAN["address before"],
                    new_email=GUARDIAN["address wanted"],
                    undo_email=GUARDIAN["address before"],
                    expires_at=later(),
                ),
                FactorReset(account_id=self.account.id, asked_by=self.other.id, expires_at=later()),
                FactorReset(
                    account_id=self.other.id,
                    asked_by=self.other.id,
                    closed_by=self.account.id,
                    closed_at=clock.now(),
                    outcome="done",
                    expires_at=later(),
                ),
                LinkRequest(
                    account_id=self.account.id,
                    child_id=self.child.id,
                    relationship="parent",
                    expires_at=later(),
                ),
            ]
        )

    def _signed_in(self) -> None:
        mine = self.account.id
        update_all(BrowserSession, BrowserSession.account_id == mine, device=GUARDIAN["device"])
        update_all(Passkey, Passkey.account_id == mine, name=GUARDIAN["passkey"])
        update_all(Grant, Grant.account_id == mine, claims={"id_token": hinted()})
        db.session.add_all(
            [
                FederatedLink(
                    account_id=mine,
                    provider="google",
                    issuer="https://accounts.google.example",
                    subject=GUARDIAN["identity"],
                ),
                PasskeyChallenge(
                    challenge_hash=hashed("challenge"),
                    browser_hash=hashed("browser"),
                    purpose="sign_in",
                    account_id=mine,
                    expires_at=later(),
                ),
            ]
        )

    def _steps(self) -> None:
        browser = {"browser_hash": hashed("browser"), "expires_at": later()}
        strangers = Interaction(**browser, request=hinted())
        theirs = Interaction(**browser, request={}, child_id=self.child.id)
        client_id = self.world.portal.client.id
        db.session.add_all([strangers, theirs])
        db.session.flush()
        waiting = Interaction(**browser, request={})
        db.session.add(waiting)
        db.session.flush()
        common = {"provider": "google", "issuer": "https://accounts.google.example"}
        db.session.add_all(
            [
                PushedRequest(
                    uri_hash=hashed("uri"),
                    client_id=client_id,
                    request=hinted(),
                    expires_at=later(),
                ),
                DeviceCode(
                    device_hash=hashed("device"),
                    user_hash=hashed("user"),
                    client_id=client_id,
                    request=hinted(),
                    poll_interval=5,
                    expires_at=later(),
                ),
                PendingLink(
                    **browser,
                    **common,
                    interaction_id=waiting.id,
                    subject=GUARDIAN["identity"],
                    shown=GUARDIAN["address"],
                ),
                FederationState(
                    **browser,
                    state_hash=hashed("state"),
                    provider="google",
                    purpose="link",
                    account_id=self.account.id,
                    next_path=f"/account?{GUARDIAN['user name']}",
                ),
            ]
        )

    def _mails(self) -> None:
        answer = f"550 {GUARDIAN['address']} is unknown"
        key = GUARDIAN["address"].lower()
        db.session.add_all(
            [
                OutboxMessage(
                    kind="invitation", account_id=self.account.id, status="refused", answer=answer
                ),
                OutboxMessage(kind="password_reset", about={"email": key}),
                OutboxMessage(
                    kind="password_reset",
                    recipient_hash=keyed_hash("mail recipient", key),
                    status="refused",
                    answer=answer,
                ),
                EventDelivery(
                    client_id=self.world.portal.client.id,
                    event="guardianship-ended",
                    account_id=self.account.id,
                    child_id=self.child.id,
                    status="refused",
                    answer=f"no {GUARDIAN['user name']}",
                ),
            ]
        )

    def _files(self) -> None:
        run = RosterRun(format="csv", fingerprint="f" * 64, status="checked")
        db.session.add(run)
        db.session.flush()
        self.run_id = run.id
        at = {"run_id": run.id, "school_id": self.school.id}
        guardian, child = GUARDIAN, CHILD
        whole = f"{guardian['given name']} {guardian['family name']}"
        pupil = f"{child['given name']} {child['family name']}"
        names = {
            "given_name": guardian["given name"],
            "family_name": guardian["family name"],
            "name_key": name_key(guardian["given name"], guardian["family name"]),
        }
        pupil_names = {
            "given_name": child["given name"],
            "family_name": child["family name"],
            "name_key": name_key(child["given name"], child["family name"]),
        }
        (theirs,) = db.session.scalars(
            db.select(Guardianship.id).where(
                Guardianship.account_id == self.account.id, Guardianship.child_id == self.child.id
            )
        )
        db.session.add_all(
            [
                RosterRunSchool(**at, state="waiting"),
                RosterJob(run_id=run.id, task="read", asked_by="cli"),
                RosterPupil(
                    **at, **pupil_names, number=1, sourced_id=child["number"], line=2,
                    pupil_number=child["number"], child_id=self.child.id, new_child_id="p_new",
                    new_subject_id="k_new",
                ),
                RosterGuardian(
                    **names, run_id=run.id, number=1, sourced_id=guardian["number"], line=2,
                    email=guardian["address"], email_key=guardian["address"].lower(),
                ),
                RosterLink(
                    run_id=run.id, number=1, pupil_sourced_id=child["number"],
                    guardian_sourced_id=guardian["number"], new_guardianship_id="w_new",
                ),
                RosterMatch(
                    **at, sourced_id=guardian["number"], account_id=self.account.id, how="known",
                    username=guardian["user name"],
                ),
                RosterPair(
                    **at, child_id=self.child.id, account_id=self.account.id,
                    new_guardianship_id="w_new",
                ),
                RosterRejection(
                    run_id=run.id, number=1, file="list.csv", line=3, code="x", about="",
                    cells=[guardian["family name"], guardian["given name"], child["given name"]],
                ),
                RosterRejection(
                    run_id=run.id, number=2, file="list.csv", line=4, code="x", about="",
                    cells=["x", f"{guardian['address']} "],
                ),
                RosterPreview(**at, report={"samples": {"account_changed": [whole, pupil]}}),
                RosterQuestion(
                    **at, subject="g1", kind="guardian", key="k", number=1,
                    account_id=self.account.id, other_child_id=self.child.id,
                ),
                RosterRemark(**at, kind="x", number=1, who=f"{whole}, {pupil}", new="3C"),
                RosterRemark(**at, kind="x", number=2, who="", old=guardian["address"]),
                RosterIdentity(
                    school_id=self.school.id, kind="guardian", sourced_id=guardian["number"],
                    account_id=self.account.id, run_id=run.id,
                ),
                RosterIdentity(
                    school_id=self.school.id, kind="pupil", sourced_id=child["number"],
                    child_id=self.child.id, run_id=run.id,
                ),
                RosterGuardianship(guardianship_id=theirs, run_id=run.id),
                RosterChange(
                    **at, kind="account_changed", account_id=self.account.id,
                    username=guardian["user name"], given_name=guardian["given name"],
                    family_name=guardian["family name"], old_given_name=guardian["given name"],
                    old_family_name=guardian["name before"], email=guardian["address"],
                    old_email=guardian["address before"],
                ),
                RosterRemark(
                    **at, kind="x", number=3,
                    who=f"{guardian['given name']} {guardian['name before']}",
                ),
                RosterChange(
                    **at, kind="child_changed", child_id=self.child.id,
                    given_name=child["given name"], family_name=child["family name"],
                    old_given_name=child["name before"], old_family_name=child["family name"],
                    pupil_number=child["number"], old_pupil_number=child["number"],
                ),
            ]
        )  # fmt: skip

    def _recorded(self) -> None:
        where = {"address": GUARDIAN["network address"]}
        rows: list[dict[str, Any]] = [
            {**events.row("sign_in", account_id=self.account.id, actor=self.account.id), **where},
            events.row(
                "guardianship_ended",
                account_id=self.account.id,
                child_id=self.child.id,
                school_id=self.school.id,
                changes={"ended": ["", CHILD["reason"]]},
            ),
            events.row(
                "guardianship_ended",
                account_id=self.other.id,
                child_id=self.child.id,
                changes={"ended": ["", f"{GUARDIAN['family name']}: {CHILD['reason']}"]},
            ),
            events.row(
                "child_changed",
                child_id=self.child.id,
                school_id=self.school.id,
                changes={"class": [CHILD["reason"], "3C"]},
            ),
        ]
        db.session.execute(db.insert(AuditEvent.__table__), rows)


def hinted() -> dict[str, Any]:
    return {"login_hint": f" {GUARDIAN['address']}", "scope": "openid"}


def hashed(text: str) -> str:
    return keyed_hash("test", text)


def later() -> Any:
    return clock.now() + timedelta(hours=1)
