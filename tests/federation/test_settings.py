"""Providers from the environment: what is read, what is refused, what `idp check` finds."""

from pathlib import Path

import pytest

from idp.doctor import configuration, environment
from idp.settings import Settings, UnsafeSettings, safety
from idp.settings.providers import GOOGLE_ISSUER
from tests.conftest import SECRET_VARIABLES

BASE = {
    "IDP_ISSUER": "https://id.example",
    "IDP_MAIL_TLS": "starttls",
    **SECRET_VARIABLES,
}
GOOGLE = {"IDP_PROVIDER_GOOGLE_CLIENT_ID": "c", "IDP_PROVIDER_GOOGLE_CLIENT_SECRET": "s3cret"}
CABANGA = {
    "IDP_PROVIDER_CABANGA_CLIENT_ID": "c",
    "IDP_PROVIDER_CABANGA_CLIENT_SECRET": "s3cret",
    "IDP_PROVIDER_CABANGA_ISSUER": "https://login.example/realms/cabanga",
}


def read(**variables: str) -> Settings:
    return Settings.from_environment({**BASE, **variables})


def test_nothing_said_is_nothing_configured() -> None:
    assert read().providers == ()
    assert safety.problems(read()) == []


def test_google_needs_an_id_and_a_secret_and_no_more() -> None:
    settings = read(**GOOGLE)
    assert safety.problems(settings) == []
    (google,) = settings.providers
    assert google.issuer == GOOGLE_ISSUER
    assert google.discovery_address == f"{GOOGLE_ISSUER}/.well-known/openid-configuration"
    assert google.label("de") == "Google"


def test_facebook_needs_an_id_and_a_secret_and_no_more() -> None:
    settings = read(
        IDP_PROVIDER_FACEBOOK_CLIENT_ID="1", IDP_PROVIDER_FACEBOOK_CLIENT_SECRET="s3cret"
    )
    assert safety.problems(settings) == []
    (facebook,) = settings.providers
    assert facebook.graph_version == "v26.0"
    assert facebook.scopes == "public_profile email"


def test_cabanga_has_no_address_of_its_own() -> None:
    without = {name: text for name, text in CABANGA.items() if "ISSUER" not in name}
    assert safety.problems(read(**without)) == ["IDP_PROVIDER_CABANGA_ISSUER is missing"]
    assert safety.problems(read(**CABANGA)) == []


def test_any_other_provider_by_the_same_variables_in_the_order_named() -> None:
    settings = read(
        **GOOGLE,
        IDP_PROVIDERS="itsme, google",
        IDP_PROVIDER_ITSME_CLIENT_ID="c",
        IDP_PROVIDER_ITSME_CLIENT_SECRET="s",
        IDP_PROVIDER_ITSME_ISSUER="https://itsme.example",
        IDP_PROVIDER_ITSME_LABEL_NL="itsme®",
        IDP_PROVIDER_ITSME_CLAIM_MAP="email=mail,name=cn",
        IDP_PROVIDER_ITSME_AUTH_METHOD="client_secret_post",
    )
    assert safety.problems(settings) == []
    itsme, google = settings.providers
    assert (itsme.key, google.key) == ("itsme", "google")
    assert itsme.label("nl") == "itsme®"
    assert itsme.claim_map == {"email": "mail", "name": "cn"}


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    variables = {name: text for name, text in GOOGLE.items() if "SECRET" not in name}
    settings = read(**variables, IDP_PROVIDER_GOOGLE_CLIENT_SECRET_FILE=str(file))
    assert settings.providers[0].client_secret == "s3cret"


def test_the_secret_is_not_in_what_is_printed() -> None:
    assert "s3cret" not in repr(read(**GOOGLE).providers[0])


def test_explicit_endpoints_stand_in_place_of_discovery() -> None:
    endpoints = {
        "IDP_PROVIDER_CABANGA_AUTHORIZATION_ENDPOINT": "https://login.example/auth",
        "IDP_PROVIDER_CABANGA_TOKEN_ENDPOINT": "https://login.example/token",
        "IDP_PROVIDER_CABANGA_JWKS_URI": "https://login.example/keys",
    }
    assert safety.problems(read(**CABANGA, **endpoints)) == []
    del endpoints["IDP_PROVIDER_CABANGA_JWKS_URI"]
    assert safety.problems(read(**CABANGA, **endpoints)) == [
        "IDP_PROVIDER_CABANGA_JWKS_URI is missing"
    ]


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"IDP_PROVIDER_GOOGLE_CLIENT_ID": "c"}, "GOOGLE_CLIENT_SECRET is missing"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_ISSUER": "http://a.example"}, "plain HTTP"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_ISSUER": "http://127.0.0.1:8003"}, "plain HTTP"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_ISSUER": "ftp://a.example"}, "not an http"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_ISSUER": "https://u@a.example"}, "user name"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_ISSUER": "https://[a"}, "not an address"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_AUTH_METHOD": "none"}, "AUTH_METHOD is none of"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_SCOPES": "email"}, "does not hold openid"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_GRAPH_VERSION": "26"}, "GRAPH_VERSION"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_LOGO": "/nowhere/logo.svg"}, "can't be read"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_LOGO": "/etc/passwd"}, "neither an .svg"),
        ({**GOOGLE, **CABANGA, "IDP_PROVIDER_CABANGA_ISSUER": GOOGLE_ISSUER}, "same issuer"),
        ({"IDP_PROVIDERS": "itsme"}, "ITSME_CLIENT_ID is missing"),
    ],
)
def test_what_is_unsafe_or_incomplete_is_refused(variables: dict[str, str], problem: str) -> None:
    assert any(problem in each for each in safety.problems(read(**variables))), safety.problems(
        read(**variables)
    )


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"IDP_PROVIDERS": "Google"}, "IDP_PROVIDERS"),
        ({"IDP_PROVIDERS": "google,google"}, "twice"),
        ({"IDP_PROVIDERS": "../google"}, "IDP_PROVIDERS"),
        ({**GOOGLE, "IDP_PROVIDER_GOOGLE_CLAIM_MAP": "sub=email"}, "CLAIM_MAP"),
        ({"IDP_PROVIDER_GOOGLE_CLIENT_SECRET_FILE": "/nowhere"}, "CLIENT_SECRET"),
    ],
)
def test_what_can_not_be_read_is_named(variables: dict[str, str], problem: str) -> None:
    with pytest.raises(UnsafeSettings) as caught:
        read(**variables)
    assert problem in str(caught.value)


def test_a_switched_off_provider_is_configured_and_not_offered() -> None:
    (google,) = read(**GOOGLE, IDP_PROVIDER_GOOGLE_ENABLED="0").providers
    assert not google.enabled


def test_k3_check_finds_typing_errors_weak_secrets_and_old_graph_versions() -> None:
    with pytest.raises(UnsafeSettings, match="did you mean IDP_PROVIDER_GOOGLE_CLIENT_ID"):
        read(**GOOGLE, IDP_PROVIDER_GOOGLE_CLIENTID="typo")
    left_out = environment.of_variables({**BASE, **GOOGLE, "IDP_PROVIDERS": "facebook"})
    assert "IDP_PROVIDER_GOOGLE_CLIENT_ID" in " ".join(each.sentence for each in left_out)
    settings = read(
        IDP_PROVIDER_FACEBOOK_CLIENT_ID="1",
        IDP_PROVIDER_FACEBOOK_CLIENT_SECRET="s",
        IDP_PROVIDER_FACEBOOK_GRAPH_VERSION="v21.0",
    )
    found = " ".join(each.sentence for each in configuration.of_settings(settings))
    assert "v21.0" in found
    assert "s3cret" not in found


def test_the_demo_may_use_stand_ins_on_loopback_only() -> None:
    stand_in = {**GOOGLE, "IDP_PROVIDER_GOOGLE_ISSUER": "http://127.0.0.1:8003", "IDP_DEMO": "1"}
    assert safety.problems(read(**stand_in)) == []
    far = {**stand_in, "IDP_PROVIDER_GOOGLE_ISSUER": "http://10.0.0.1"}
    assert any("plain HTTP" in each for each in safety.problems(read(**far)))
