"""The second factor: who needs one, what each account has, and how one is proved."""

import json
from dataclasses import asdict, replace
from datetime import datetime

from idp import correlation, measures
from idp.audit import events
from idp.credentials import devices, factors, passkeys, recovery_codes, throttling, totp
from idp.credentials.models import Passkey
from idp.credentials.passkeys import Purpose
from idp.database import transaction
from idp.errors import Throttled
from idp.lifecycle.sign_in import Proof
from idp.mail import outbox
from idp.people import accounts
from idp.people.models import Account, AccountRow
from idp.sessions import assurance, interactions
from idp.sessions.models import Interaction
from idp.sessions.service import SignedIn

__all__ = ["Throttled", "WrongCode", "WrongPasskey"]


class WrongCode(Exception):
    """Not a code of now, or one that was used before."""


class WrongPasskey(Exception):
    """The passkey proves nothing here; why stands in the audit log."""


def is_missing(proof: Proof) -> bool:
    """Whether this proof opens nothing before a second factor has been proved as well.

    Whatever the way in – password, mailed token, another provider – it is asked (rule A3).
    """
    if assurance.meets(proof.acr, assurance.TWO_FACTOR):
        return False
    return factors.load(proof.account_id).required


def keep_first(interaction: Interaction, proof: Proof) -> None:
    """Let a first factor wait for the second in its interaction, on the server."""
    at = proof.auth_time and proof.auth_time.isoformat()
    document = {**asdict(proof), "auth_time": at}
    interactions.pend(interaction, json.dumps(document))


def waiting(interaction: Interaction) -> tuple[Proof, Account] | None:
    """The first factor that waits here and its account, as long as the account is as it was."""
    kept = interactions.pending(interaction)
    if kept is None:
        return None
    document = json.loads(kept)
    document["amr"] = tuple(document["amr"])
    at = document["auth_time"]
    document["auth_time"] = datetime.fromisoformat(at) if at else interaction.pending_at
    proof = Proof(**document)
    account = accounts.find_account(proof.account_id)
    if account is None or account.status != "active" or account.credentials_epoch != proof.epoch:
        return None
    return proof, account


def of_session(signed_in: SignedIn) -> Proof:
    """What a session stands on: the first factor of a step-up."""
    session = signed_in.session
    return Proof(
        account_id=signed_in.account.id,
        epoch=signed_in.account.credentials_epoch,
        # Nothing that was proved long ago is a first factor now
        amr=() if session.acr == assurance.LONG_LIVED_COOKIE else tuple(session.amr.split()),
        auth_time=session.auth_time,
        auth_time_proved=session.auth_time_proved,
        passkey_id=session.passkey_id,
    )


def prove_code(account: AccountRow, first: Proof, code: str, *, device_secret: str | None) -> Proof:
    """The proof by a code of the app, or a recovery code, on top of what was proved first.

    Raises ``WrongCode`` or ``Throttled``. The attempt is counted before it is judged (E6).
    """
    known = devices.is_known_device(account.id, device_secret)
    guarded = (account.username, account.id, correlation.current().address, known, device_secret)
    outcome = throttling.check_factor(*guarded)
    if isinstance(outcome, throttling.Blocked):
        throttling.note("factor_refused", outcome, account.id)
        measures.sign_in(measures.OTP, "throttled")
        raise Throttled(outcome.retry_after)
    if not (totp.spend(account.id, code) or _recover(account.id, code)):
        events.record("factor_refused", result="wrong", account_id=account.id)
        measures.sign_in(measures.OTP, "wrong")
        raise WrongCode
    throttling.reset_factor(*guarded)
    measures.sign_in(measures.OTP, "ok")
    # auth_time stays that of the first factor: nothing more was proved anew (rule F9)
    return with_code(first)


def prove_passkey(
    answer: str, *, browser: str, purpose: Purpose, account: AccountRow | None = None
) -> Proof:
    """The proof by a passkey: of whoever it belongs to, or of ``account`` alone.

    Raises ``WrongPasskey``, the same for all that may be wrong: unknown, disabled, foreign,
    forged (security rules E1 and F8).
    """
    party = passkeys.relying_party()
    try:
        if party is None:
            raise passkeys.NotProved("not offered")
        proved = passkeys.prove(party, browser, purpose, answer, account.id if account else "")
    except passkeys.NotProved as refused:
        _note(refused, account)
        measures.sign_in(measures.PASSKEY, "wrong")
        raise WrongPasskey from refused
    measures.sign_in(measures.PASSKEY, "ok")
    amr = passkeys.amr_of(proved.passkey)
    return Proof(proved.account.id, proved.epoch, amr, passkey_id=proved.passkey.id)


def join(first: Proof, second: Proof) -> Proof:
    """A first factor and a passkey after it: both were proved, the passkey now."""
    amr = _joined(first, *second.amr)
    return replace(second, epoch=first.epoch, amr=amr, link_id=first.link_id, mailed=first.mailed)


def with_code(first: Proof) -> Proof:
    """A first factor, and the code that switched an app on after it."""
    return replace(first, amr=_joined(first, "otp"))


def with_new_passkey(first: Proof, added: Passkey) -> Proof:
    """A first factor, and the passkey that was made after it.

    Two factors, and no more: whoever phished the first could have made a key as well. From the
    next sign-in on, the key itself says who it is (security rule F9).
    """
    kind, _user_verified = passkeys.amr_of(added)
    return replace(first, amr=_joined(first, kind), passkey_id=added.id)


def _recover(account_id: str, code: str) -> bool:
    with transaction():
        if not recovery_codes.spend(account_id, code):
            return False
        left = recovery_codes.left(account_id)
        events.record("recovery_code_used", account_id=account_id, left=left)
        outbox.enqueue("recovery_code_used", account_id=account_id, about={"left": left})
    return True


def _joined(first: Proof, *second: str) -> tuple[str, ...]:
    """What was proved in all, with RFC 8176's word for several factors."""
    several = ("mfa",) if first.amr else ()
    return tuple(dict.fromkeys((*first.amr, *second, *several)))


def _note(refused: passkeys.NotProved, account: AccountRow | None) -> None:
    passkey = refused.passkey
    whose = account.id if account else passkey.account_id if passkey else None
    detail = {"passkey": passkey.id} if passkey else {}
    events.record(
        "factor_refused", result="refused", account_id=whose, why=refused.reason, **detail
    )
