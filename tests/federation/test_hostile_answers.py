"""F2, F6, F10: whatever a provider answers, nobody is signed in by it who did not prove it."""

import base64
import json
import time
from collections.abc import Callable

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from idp.outgoing import session
from idp.outgoing.places import Places
from idp.outgoing.trouble import Busy
from tests.federation.rogue import CLIENT_ID, OTHER_KEY, SECRET, Asked, Reply, Rogue
from tests.federation.worlds import Walker, events_named, links_of
from tests.relying_party import answer
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

TOKEN = "/token"
METADATA = "/.well-known/openid-configuration"
AWAY = "ne répond pas"
WRONG = "n&#39;était pas valable"


def refused(here: Walker, sentence: str) -> None:
    """Back on our sign-in page, with a sentence, and nobody signed in."""
    page = here.browser.page
    assert page is not None
    assert page.request.path.endswith("/login"), page.request.path
    assert page.status_code == 200
    assert sentence in page.text, page.text[2000:5000]
    assert here.browser.open("/").request.path.endswith("/login")
    assert events_named("sign_in") == []


def unsigned(rogue: Rogue) -> str:
    _, payload, _ = rogue.id_token().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{header}.{payload}."


def signed_with_our_secret(rogue: Rogue) -> str:
    claims = jwt.decode(rogue.id_token(), rogue.sign_with).claims
    key = OctKey.import_key(SECRET)
    return jwt.encode({"alg": "HS256", "kid": "k1"}, claims, key, algorithms=["HS256"])


def with_id_token(make: Callable[[Rogue], object]) -> Callable[[Rogue], None]:
    def change(rogue: Rogue) -> None:
        def reply(_asked: Asked) -> Reply:
            return Reply.json(
                {"access_token": "t", "token_type": "Bearer", "id_token": make(rogue)}
            )

        rogue.replies[TOKEN] = reply

    return change


def with_claims(**claims: object) -> Callable[[Rogue], None]:
    return lambda rogue: rogue.claims.update(claims)


def without(name: str) -> Callable[[Rogue], None]:
    return lambda rogue: rogue.without.add(name)


def with_reply(path: str, reply: Reply) -> Callable[[Rogue], None]:
    return lambda rogue: rogue.replies.update({path: reply})


def now() -> int:
    return int(time.time())


ID_TOKENS: dict[str, Callable[[Rogue], None]] = {
    "none at all": with_reply(TOKEN, Reply.json({"access_token": "t", "token_type": "Bearer"})),
    "not a string": with_id_token(lambda _: {"sub": "1001"}),
    "not a JWT": with_id_token(lambda _: "a.b.c"),
    "alg none": with_id_token(unsigned),
    "HS256 under our secret": with_id_token(signed_with_our_secret),
    "another key under the same kid": lambda rogue: setattr(rogue, "sign_with", OTHER_KEY),
    "an unknown kid": lambda rogue: rogue.header.update(kid="k9"),
    "iss of another": with_claims(iss="https://evil.example"),
    "no iss": without("iss"),
    "aud of another": with_claims(aud="another-client"),
    "aud of another, azp ours": with_claims(aud="another-client", azp=CLIENT_ID),
    "several aud, no azp": with_claims(aud=[CLIENT_ID, "another"]),
    "several aud, azp of another": with_claims(aud=[CLIENT_ID, "another"], azp="another"),
    "no aud": without("aud"),
    "expired": lambda rogue: rogue.claims.update(exp=now() - 120),
    "no exp": without("exp"),
    "exp is text": with_claims(exp="tomorrow"),
    "no iat": without("iat"),
    "iat in the future": lambda rogue: rogue.claims.update(iat=now() + 3600),
    "iat long ago": lambda rogue: rogue.claims.update(iat=now() - 3600),
    "nonce of another": with_claims(nonce="another"),
    "no nonce": without("nonce"),
    "no sub": without("sub"),
    "empty sub": with_claims(sub=""),
    "endless sub": with_claims(sub="x" * 256),
    "sub is a number": with_claims(sub=1001),
    "sub with control characters": with_claims(sub="10\n01"),
    "at_hash of another token": with_claims(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
}


@pytest.mark.parametrize("name", ID_TOKENS)
def test_f2_an_id_token_that_breaks_one_rule_proves_nothing(here: Walker, name: str) -> None:
    here.linked()
    here.at_sign_in()
    ID_TOKENS[name](here.provider)

    here.walk()

    refused(here, WRONG)


GARBAGE: dict[str, Callable[[Rogue], None]] = {
    "HTML": with_reply(TOKEN, Reply(b"<html>hello</html>")),
    "a list": with_reply(TOKEN, Reply(b"[1, 2]")),
    "nothing": with_reply(TOKEN, Reply(b"")),
    "deep JSON": with_reply(TOKEN, Reply(b"[" * 100_000)),
    "not UTF-8": with_reply(TOKEN, Reply(b'{"id_token": "\xff\xfe"}')),
    "invalid_grant": with_reply(TOKEN, Reply.json({"error": "invalid_grant"}, status=400)),
    "a script as error": with_reply(TOKEN, Reply.json({"error": "<script>x</script>"}, status=400)),
    "a redirect": with_reply(TOKEN, Reply(b"", 302, {"Location": "http://127.0.0.1:9/"})),
    "too much": with_reply(TOKEN, Reply(b" " * (session.BoundedSession.largest + 1))),
    "compressed": with_reply(TOKEN, Reply(b"x", 200, {"Content-Encoding": "gzip"})),
    "keys are no set": with_reply("/keys", Reply.json({"keys": "none"})),
    "keys not there": with_reply("/keys", Reply(b"", 404)),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_f6_garbage_is_told_in_a_sentence(here: Walker, name: str) -> None:
    here.linked()
    here.at_sign_in()
    GARBAGE[name](here.provider)

    here.walk()

    refused(here, WRONG)
    assert here.provider.count("/") == 0, "no redirect is followed"


@pytest.mark.parametrize("path", [TOKEN, "/keys"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_provider_in_trouble_is_away(here: Walker, path: str, status: int) -> None:
    here.linked()
    here.at_sign_in()
    here.provider.replies[path] = Reply(b"", status)

    here.walk()

    refused(here, AWAY)


def test_f6_a_slow_provider_is_waited_for_five_seconds_and_no_more(
    here: Walker, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.SECONDS == 5
    monkeypatch.setattr(session, "SECONDS", 0.5)
    here.linked()
    here.at_sign_in()
    here.provider.replies[TOKEN] = Reply(wait=30)
    began = time.monotonic()

    here.walk()

    assert time.monotonic() - began < 3
    refused(here, AWAY)
    assert events_named("provider_refused")[-1].detail["reason"] == "slow"


def test_f6_an_answer_that_drips_is_cut(here: Walker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "SECONDS", 0.6)
    here.linked()
    here.at_sign_in()
    here.provider.replies[TOKEN] = Reply(b" " * 1000, drip=0.2)
    began = time.monotonic()

    here.walk()

    assert time.monotonic() - began < 3
    refused(here, AWAY)


def test_a_provider_that_is_down_is_told_before_the_parent_leaves(here: Walker) -> None:
    here.provider.replies[METADATA] = Reply(b"", 503)
    here.at_sign_in()

    here.browser.press("provider-google")

    refused(here, AWAY)


METADATA_CHANGES: dict[str, dict[str, object]] = {
    "issuer of another": {"issuer": "https://evil.example"},
    "no token endpoint": {"token_endpoint": None},
    "a script as endpoint": {"authorization_endpoint": "javascript:alert(1)"},
    "a file as key set": {"jwks_uri": "file:///etc/passwd"},
    "an endless endpoint": {"authorization_endpoint": "https://a.example/" + "x" * 3000},
}


@pytest.mark.parametrize("name", METADATA_CHANGES)
def test_metadata_that_are_not_the_issuers_are_not_used(here: Walker, name: str) -> None:
    here.provider.metadata.update(METADATA_CHANGES[name])
    here.at_sign_in()

    here.browser.press("provider-google")

    refused(here, WRONG)


def test_weak_algorithms_that_a_provider_offers_are_not_taken(here: Walker) -> None:
    offered = ["none", "HS256", "RS256"]
    here.provider.metadata["id_token_signing_alg_values_supported"] = offered
    here.linked()
    here.at_sign_in()
    with_id_token(signed_with_our_secret)(here.provider)

    here.walk()

    refused(here, WRONG)


def test_f10_an_unknown_kid_asks_again_at_most_once_a_minute(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    here.walk()
    here.browser.sign_out()
    here.provider.header["kid"] = "k9"
    for _ in range(3):
        here.at_sign_in()
        here.walk()
    assert here.provider.count("/keys") == 1

    with later(seconds=70):
        for _ in range(3):
            here.at_sign_in()
            here.walk()

    assert here.provider.count("/keys") == 2


@pytest.mark.changed_elsewhere("federation/openid.py")
def test_a_rotated_key_is_found_by_its_kid(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    here.walk()
    here.browser.sign_out()
    here.provider.keys.append(OTHER_KEY)
    here.provider.sign_with = OTHER_KEY
    here.provider.header["kid"] = "k2"

    with later(minutes=5):
        here.at_sign_in()
        assert "code" in answer(here.walk())


def test_documents_are_cached_as_their_headers_say(here: Walker) -> None:
    document = here.provider.metadata
    headers = {"Content-Type": "application/json", "Cache-Control": "public, max-age=120"}
    here.provider.replies[METADATA] = Reply.json(document, headers=headers)
    here.at_sign_in()
    for _ in range(3):
        here.at_sign_in()
        here.leave()
    assert here.provider.count(METADATA) == 1
    with later(seconds=130):
        here.at_sign_in()
        here.leave()
    assert here.provider.count(METADATA) == 2


def test_old_documents_serve_while_the_provider_is_away(here: Walker) -> None:
    here.linked()
    here.at_sign_in()
    here.walk()
    here.browser.sign_out()
    here.provider.replies[METADATA] = Reply(b"", 500)

    with later(hours=2):
        here.at_sign_in()
        assert "code" in answer(here.walk())


def test_text_of_a_provider_is_shown_as_text(here: Walker) -> None:
    here.provider.claims["email"] = "<img src=x onerror=alert(1)>\u202e" + "x" * 500
    here.at_sign_in()

    page = here.walk()

    assert "<img src=x" not in page.text
    assert "&lt;img src=x" in page.text
    assert "x" * 300 not in page.text


def test_googles_second_spelling_is_accepted_and_is_the_same_link() -> None:
    from idp.settings.providers import GOOGLE_ISSUER, ProviderSettings

    google = ProviderSettings(key="google", issuer=GOOGLE_ISSUER)
    assert google.accepted_issuers == (GOOGLE_ISSUER, "accounts.google.com")
    other = ProviderSettings(key="google", issuer="https://other.example")
    assert other.accepted_issuers == ("https://other.example",)


def test_too_many_at_once_are_told_at_once(here: Walker) -> None:
    places = Places(1)
    with places.apart(), pytest.raises(Busy, match="busy"), places.apart():
        pass


def test_nothing_was_linked_by_all_that(here: Walker) -> None:
    here.at_sign_in()
    here.provider.claims["iss"] = "https://evil.example"
    here.walk()
    assert links_of(here.parent) == []
