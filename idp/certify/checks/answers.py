"""Does the application look at what comes back: state, nonce, ID token, UserInfo?"""

from collections.abc import Callable

from idp.certify import forged
from idp.certify.trial import CouldNotBeTold, Failed, Trial, is_shown
from idp.certify.wrong_answers import Fields, Wrong

OTHER_ISSUER = "https://another-provider.example"
OTHER_CLIENT = "app_of-somebody-else"


def pkce(trial: Trial) -> str:
    """RFC 7636, RFC 9700 §2.1.1."""
    parameters = trial.authorization_request()
    if not parameters.get("code_challenge"):
        raise Failed("The authorization request holds no code_challenge.")
    method = parameters.get("code_challenge_method", "plain")
    if method != "S256":
        raise Failed(f"The code_challenge_method is {method}.")
    return "code_challenge_method=S256."


def state(trial: Trial) -> str:
    """RFC 6749 §10.12: an answer that this browser did not ask for is nobody's."""
    if not trial.authorization_request().get("state"):
        raise Failed("The authorization request holds no state.")
    trial.fails_if_in(
        Wrong(fields=_with(state="of-another-request")), "although state was another."
    )
    trial.fails_if_in(Wrong(fields=_without_state), "although state was missing.")
    _of_another_browser(trial)
    return "Another state, a missing one and another browser's answer were refused."


def _of_another_browser(trial: Trial) -> None:
    home, kept = trial.school["one_child"], Wrong(hold=True)
    with trial.visitor() as stranger, trial.provider.answers.while_answering(kept):
        stranger.sign_in(home.parent)
    if not kept.held:
        raise CouldNotBeTold("No answer could be kept back.")
    with trial.visitor() as visitor:
        visitor.begin()
        visitor.browser.open(kept.held)
        named = visitor.look()
    if is_shown(named, home.parent, home.children):
        raise Failed(f"{home.parent.full_name} was signed in by the answer to another browser.")


def nonce(trial: Trial) -> str:
    """OpenID Connect Core §3.1.3.7, number 11."""
    if not trial.authorization_request().get("nonce"):
        raise Failed("The authorization request holds no nonce.")
    other = forged.with_claims(nonce="of-another-request")
    trial.fails_with_token(other, "although the ID token's nonce was another.")
    without = forged.with_claims(nonce=None)
    trial.fails_with_token(without, "although the ID token held no nonce.")
    return "Another nonce and a missing one were refused."


def issuer(trial: Trial) -> str:
    """OpenID Connect Core §3.1.3.7, number 2."""
    other = forged.with_claims(iss=OTHER_ISSUER)
    trial.fails_with_token(other, f"although iss was {OTHER_ISSUER}.")
    return "Another iss was refused."


def audience(trial: Trial) -> str:
    """OpenID Connect Core §3.1.3.7, number 3."""
    other = forged.with_claims(aud=OTHER_CLIENT)
    trial.fails_with_token(other, f"although aud was {OTHER_CLIENT}.")
    return "Another aud was refused."


def expired(trial: Trial) -> str:
    """OpenID Connect Core §3.1.3.7, number 9."""
    trial.fails_with_token(forged.expired, "although the ID token had expired an hour ago.")
    return "A token of an hour ago was refused."


def signature(trial: Trial) -> str:
    """OpenID Connect Core §3.1.3.7, number 6; RFC 8725 §3.1."""
    trial.fails_with_token(forged.by_a_stranger, "although another key had signed the ID token.")
    trial.fails_with_token(forged.by_nobody, "although the ID token was not signed (alg: none).")
    return "A stranger's signature and none at all were refused."


def rotation(trial: Trial) -> str:
    """OpenID Connect Core §10.1.1: an unknown key is looked for, not believed."""
    trial.provider.rotate_keys()
    home = trial.school["one_child"]
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        named = visitor.look()
    if not is_shown(named, home.parent, home.children):
        raise Failed("After a change of keys that was announced nobody gets in any more.")
    trial.fails_with_token(
        forged.by_an_unknown_key, "although a key that the key set does not hold had signed."
    )
    return "The new key was taken, an unknown one was refused."


def userinfo(trial: Trial) -> str:
    """OpenID Connect Core §5.3.2: another ``sub`` than the ID token's must not be used."""
    home, other = trial.school["one_child"], trial.school["two_schools"].parent
    answer = {
        "sub": "somebody-else",
        "name": other.full_name,
        "given_name": other.given_name,
        "family_name": other.family_name,
        "preferred_username": other.username,
        "email": "somebody.else@familles.example",
    }
    wrong = Wrong(userinfo=answer)
    with trial.visitor() as visitor:
        with trial.provider.answers.while_answering(wrong):
            visitor.sign_in(home.parent)
        if not wrong.times:
            raise CouldNotBeTold("The application does not ask UserInfo.")
        named = visitor.look()
    if other in named.parents:
        raise Failed(
            f"{home.parent.full_name} signed in; the page took the name {other.full_name} from an"
            " answer with another sub."
        )
    return "It was not used."


def _with(**changes: str) -> Callable[[Fields], Fields]:
    return lambda fields: {**fields, **changes}


def _without_state(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name != "state"}
