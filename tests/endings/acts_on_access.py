"""Acts that end something, done to Claire: on factors, sessions, applications, everything."""

from flask.testing import FlaskClient

from idp import clock
from idp.clients import registration
from idp.credentials import one_time_tokens
from idp.database import transaction
from idp.desk.applications import service as applications
from idp.lifecycle import endings, factor_changes, factor_undo, federation, restored, staying
from idp.lifecycle.endings import Cause, These, Thing
from idp.lifecycle.mails import tokens as token_mails
from idp.people import staff
from idp.sessions import persistent
from idp.sessions.persistent import DeviceKey
from tests.endings.acts_on_accounts import ACTS, About, act, operator, the
from tests.endings.everything import Everything
from tests.factories import PASSWORD
from tests.relying_party import RelyingParty

__all__ = ["ACTS"]


@act(Cause.PASSKEY_REMOVED)
def _removed(there: Everything, _http: FlaskClient) -> About:
    claire = there.claire
    key = claire.ids["new passkey"]
    factor_changes.remove_passkey(claire.id, key, keep_session=claire.sessions["here"])
    return About(the(Thing.PASSKEYS, "new"), sessions=("by passkey",))


@act(Cause.APP_REMOVED)
def _switched_off(there: Everything, _http: FlaskClient) -> About:
    factor_changes.switch_off(there.claire.id)
    return About(the(Thing.APP, "the app"))


@act(Cause.CODES_REPLACED)
def _replaced(there: Everything, _http: FlaskClient) -> About:
    epoch = there.claire.account.credentials_epoch
    factor_changes.replace_recovery_codes(there.claire.id, epoch=epoch)
    return About(the(Thing.RECOVERY_CODES, "a code"))


@act(Cause.FACTORS_RESET)
def _by_two_of_the_desk(there: Everything, _http: FlaskClient) -> About:
    assert factor_changes.reset(there.claire.id)
    factors = the(Thing.PASSKEYS, "old", "new") | the(Thing.APP, "the app")
    return About(factors | the(Thing.RECOVERY_CODES, "a code"))


def _undone(kind: str, thing_id: str) -> None:
    added = factor_undo.find(kind, thing_id)
    assert added is not None
    assert isinstance(factor_undo.undo(added.secret, PASSWORD), factor_undo.Added)


@act(Cause.PASSKEY_UNDONE)
def _passkey(there: Everything, _http: FlaskClient) -> About:
    _undone("passkey", there.claire.ids["new passkey"])
    return About(the(Thing.PASSKEYS, "new"))


@act(Cause.APP_UNDONE)
def _app(there: Everything, _http: FlaskClient) -> About:
    _undone("app", there.claire.id)
    return About(the(Thing.APP, "the app"))


@act(Cause.LINK_UNDONE)
def _link(there: Everything, _http: FlaskClient) -> About:
    _undone("link", there.claire.ids["new link"])
    return About(the(Thing.LINKS, "new"))


def _link_ended() -> About:
    return About(the(Thing.LINKS, "new"), sessions=("by link",))


@act(Cause.LINK_ENDED)
def _by_the_holder(there: Everything, _http: FlaskClient) -> About:
    assert federation.unlink(there.claire.id, there.claire.ids["new link"]) == "new"
    return _link_ended()


@act(Cause.LINK_ENDED)
def _by_the_provider(there: Everything, _http: FlaskClient) -> About:
    assert federation.end_by_provider("https://new.example", there.claire.id, clock.now())
    return _link_ended()


@act(Cause.LINK_ENDED)
def _by_the_operator(there: Everything, _http: FlaskClient) -> About:
    assert federation.end_by_operator(there.claire.id, "new")
    return _link_ended()


@act(Cause.ROLE_GIVEN)
def _role_given(there: Everything, _http: FlaskClient) -> About:
    assert factor_changes.grant_role(there.claire.id, "helper", there.school.id)
    return About()


@act(Cause.ROLE_TAKEN)
def _role_taken(there: Everything, _http: FlaskClient) -> About:
    staff.grant(there.claire.id, "helper", there.school.id)
    assert factor_changes.revoke_role(there.claire.id, "helper", there.school.id)
    return About()


@act(Cause.DEVICE_KEY_COPIED)
def _copied(there: Everything, _http: FlaskClient) -> About:
    key = DeviceKey.of_cookie(there.claire.ids["key of there"])
    assert key is not None
    row = persistent.find(key)
    assert row is not None
    with transaction():
        persistent.rotate(row, key, row.session_id)
        row.rotated_at = clock.now() - 2 * persistent.GRACE
    assert staying.come_back(key, device="", device_secret=None) == staying.Gone()
    return About(sessions=("there",))


@act(Cause.SIGNED_OUT)
def _a_session(there: Everything, _http: FlaskClient) -> About:
    assert endings.end_session(there.claire.id, there.claire.sessions["there"])
    return About(sessions=("there",))


@act(Cause.OTHERS_SIGNED_OUT)
def _all_others(there: Everything, _http: FlaskClient) -> About:
    assert endings.end_other_sessions(there.claire.id, keep=there.claire.sessions["here"]) == 3
    return About(sessions=("there", "by passkey", "by link"))


@act(Cause.BROWSER_LEFT)
def _left(there: Everything, _http: FlaskClient) -> About:
    endings.end(Cause.BROWSER_LEFT, These(browser=there.claire.browser))
    return About()


@act(Cause.BROWSER_ENTERED)
def _entered(there: Everything, _http: FlaskClient) -> About:
    keep = there.claire.ids["this interaction"]
    these = These(browser=there.claire.browser, keep_interaction=keep)
    endings.end(Cause.BROWSER_ENTERED, these)
    return About()


@act(Cause.CONSENT_WITHDRAWN)
def _withdrawn(there: Everything, _http: FlaskClient) -> About:
    assert endings.withdraw_consent(there.claire.id, there.portal.client.id)
    return About()


@act(Cause.CLIENT_DISABLED)
def _disabled(there: Everything, _http: FlaskClient) -> About:
    assert applications.disable(operator(there), there.portal.client.id)
    return About(both=True)


@act(Cause.CLIENT_DISABLED)
def _enabled(there: Everything, _http: FlaskClient) -> About:
    assert registration.disable(there.portal.client.id)
    assert applications.enable(operator(there), there.portal.client.id)
    return About(both=True)


@act(Cause.ADDRESSES_SHOWN)
def _shown(there: Everything, _http: FlaskClient) -> About:
    client = there.portal.client
    document = {**client.metadata_, "first_party": False, "email_claim": "unique"}
    registration.change(client.id, document)
    real = {**document, "email_claim": "real"}
    applications.change(operator(there), client.id, real)
    return About(both=True)


@act(Cause.OURS_NO_MORE)
def _ours_no_more(there: Everything, _http: FlaskClient) -> About:
    client = there.portal.client
    registration.change(client.id, {**client.metadata_, "first_party": True})
    theirs = {**client.metadata_, "first_party": False}
    applications.change(operator(there), client.id, theirs)
    return About(both=True)


def _given(there: Everything, *, live: bool = False) -> str:
    return f"{there.claire.account.username}portal in there" + (", live" if live else "")


def _portal(there: Everything) -> RelyingParty:
    return RelyingParty(there.portal, "https://portal.example/callback")


@act(Cause.CODE_REUSED)
def _code(there: Everything, http: FlaskClient) -> About:
    assert _portal(there).redeem(http, _given(there)).status_code == 400
    return About(the(Thing.GRANTS, "portal in there"))


@act(Cause.REFRESH_REUSED)
def _refresh(there: Everything, http: FlaskClient) -> About:
    assert _portal(there).refresh(http, _given(there)).status_code == 400
    return About(the(Thing.GRANTS, "portal in there"))


@act(Cause.REVOKED)
def _revoked(there: Everything, http: FlaskClient) -> About:
    token = {"token": _given(there, live=True)}
    assert _portal(there).post(http, "/oauth2/revoke", token).status_code == 200
    return About(the(Thing.GRANTS, "portal in there"))


@act(Cause.TOKEN_MADE)
def _newer(there: Everything, _http: FlaskClient) -> About:
    one_time_tokens.mint(there.claire.id, "password_reset")
    return About(the(Thing.TOKENS, "printed", "mailed"))


@act(Cause.MAIL_LOST)
def _lost(there: Everything, _http: FlaskClient) -> About:
    token_mails.withdraw_tokens(f"m_{there.claire.account.username}", there.since)
    return About(the(Thing.TOKENS, "mailed"))


@act(Cause.DATABASE_RESTORED)
def _restored(there: Everything, _http: FlaskClient) -> About:
    restored.end_what_came_back()
    return About(both=True)
