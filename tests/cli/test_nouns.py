"""Schools, applications, accounts, children, tokens, keys, mail and audit, by command."""

import json
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from joserfc.jwk import ECKey, KeySet

from idp import clock
from idp.audit.models import AuditEvent
from idp.clients import client_secrets, registration
from idp.credentials import one_time_tokens, passwords
from idp.database import db, transaction
from idp.mail import outbox
from idp.oidc.keys import Keyring
from idp.people import accounts, schools
from tests import factories
from tests.admin.pictures import picture
from tests.cli.conftest import Run, refused, start
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

JsonOf = Callable[..., Any]
CALLBACK = "https://portal.example/callback"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def school_id(json_of: JsonOf) -> str:
    identifier: str = json_of("school", "create", "Collège des Tilleuls")["id"]
    return identifier


@pytest.fixture
def client_id(json_of: JsonOf, school_id: str) -> str:
    made = json_of("client", "create", "Portail", "--school", school_id, "--redirect-uri", CALLBACK)
    identifier: str = made["client_id"]
    return identifier


# Schools


def test_a_school_is_made_with_all_that_parents_see(json_of: JsonOf, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(picture())
    made = json_of(
        *("school", "create", "École « Été »", "--colour", "#A02030", "--logo", str(logo)),
        *("--contact-name", "Mme Peeters", "--contact-email", "bureau@ete.example"),
        *("--contact-phone", "02 555 01 01", "--locale", "nl"),
    )
    assert [made] == json_of("school", "list")
    assert made["name"] == "École « Été »"
    assert made["colour"] == "#a02030"
    assert made["logo"] is True


def test_the_table_of_schools_is_aligned(run: Run, app: Flask) -> None:
    factories.school("Ö")
    factories.school("学校学校")

    lines = run("school", "list").stdout.splitlines()

    assert lines[0].startswith("id  ")
    assert {line.split()[2] for line in lines[1:]} == {"fr"}
    assert "学校学校  fr" in lines[2]  # two columns for each of these letters
    assert "Ö         fr" in lines[1]


def test_an_empty_list_says_so(run: Run) -> None:
    assert run("school", "list").stdout.strip() == "(none)"


@pytest.mark.parametrize(
    "arguments",
    [
        ("school", "create", " "),
        ("school", "create", "x" * 500),
        ("school", "create", "A", "--colour", "red"),
        ("school", "create", "A", "--contact-email", "nobody"),
        ("school", "create", "A", "--logo", "/nowhere.png"),
        ("school", "create", "A", "--logo", "/dev/zero"),
    ],
)
def test_a_school_that_cannot_be_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    refused(run(*arguments))
    assert schools.list_schools() == []


def test_l2_a_name_that_moves_the_cursor_is_shown_harmless(run: Run, app: Flask) -> None:
    school = factories.school()
    with transaction():
        school.name = "A\x1b[2Jb\u202ec"
    assert "A?[2Jb?c" in run("school", "list").stdout


# Applications


def test_a_client_is_registered_and_its_secret_works(json_of: JsonOf, school_id: str) -> None:
    made = json_of(
        *("client", "create", "Portail", "--school", school_id, "--redirect-uri", CALLBACK),
        *("--post-logout-uri", "https://portal.example/", "--scope", "openid profile child"),
        *("--auth-method", "client_secret_post", "--first-party", "--id-token-alg", "ES256"),
        *("--subject-type", "public", "--child-field", "given_name", "--child-field", "class"),
        *("--id-token-claim", "name", "--id-token-claim", "email", "--email-claim", "unique"),
        *("--child-profile", "flat", "--start-uri", "https://portal.example/start"),
        *("--website", "https://portal.example/", "--origin", "https://portal.example"),
    )
    client = registration.get_client(made["client_id"])
    assert client_secrets.is_secret(client, made.pop("client_secret"))
    assert made == json_of("client", "show", made["client_id"])
    assert made["schools"] == [school_id]
    assert made["first_party"] is True
    assert made["require_pkce"] is True
    assert made["child_fields"] == ["sub", "given_name", "class"]
    assert made["id_token_claims"] == ["name", "email"]
    assert made["email_claim"] == "unique"
    assert made["initiate_login_uri"] == "https://portal.example/start"


def test_p6_a_secret_is_shown_once(run: Run, json_of: JsonOf, school_id: str) -> None:
    arguments = ("client", "create", "P", "--school", school_id, "--redirect-uri", CALLBACK)
    shown = run(*arguments).stdout
    secret = next(line for line in shown.splitlines() if line.startswith("client secret")).split()[
        2
    ]

    assert len(secret) >= 43
    assert "can't be shown again" in shown
    identifier = json_of("client", "list")[0]["client_id"]
    for command in (("client", "list"), ("client", "show", identifier), ("audit", "list")):
        assert secret not in run(*command, "--json").output


def test_a_client_is_changed_field_by_field(json_of: JsonOf, client_id: str) -> None:
    before = json_of("client", "show", client_id)
    other = json_of("school", "create", "Athénée du Parc")["id"]

    json_of(
        *("client", "edit", client_id, "--school", other, "--metadata", "-"),
        stdin=json.dumps({"client_name": "Devoirs", "child_claim_profile": "flat"}),
    )

    expected = {"client_name": "Devoirs", "child_claim_profile": "flat", "schools": [other]}
    assert json_of("client", "show", client_id) == {**before, **expected}


def test_a_wrong_change_of_a_client_is_refused_and_changes_nothing(
    run: Run, json_of: JsonOf, client_id: str
) -> None:
    before = json_of("client", "show", client_id)

    wrong = '{"redirect_uris": ["ftp://x"]}'
    error = refused(run("client", "edit", client_id, "--metadata", "-", stdin=wrong))

    assert "redirect_uris" in error
    assert json_of("client", "show", client_id) == before


def test_a_former_secret_is_ended_and_a_disabled_client_enabled(
    run: Run, json_of: JsonOf, client_id: str
) -> None:
    json_of("client", "rotate-secret", client_id)
    run("client", "end-old-secret", client_id)
    run("client", "disable", client_id)
    off = json_of("client", "show", client_id)
    run("client", "enable", client_id)

    assert off["former_secret_until"] is None
    assert off["disabled_at"] is not None
    assert json_of("client", "show", client_id)["disabled_at"] is None


def test_a_client_comes_from_a_metadata_file(
    json_of: JsonOf, school_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "client.json"
    metadata = {"client_name": "From file", "redirect_uris": [CALLBACK], "scope": "openid child"}
    path.write_text(json.dumps({**metadata, "unknown": 1}), encoding="utf-8")

    made = json_of("client", "create", "--school", school_id, "--metadata", str(path))
    other = json_of(
        *("client", "create", "Named", "--school", school_id, "--metadata", "-"),
        stdin=json.dumps(metadata),
    )

    assert made["client_name"] == "From file"
    assert made["scope"] == "openid child"
    assert other["client_name"] == "Named"


def test_clients_without_a_secret(json_of: JsonOf, school_id: str, tmp_path: Path) -> None:
    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(KeySet([ECKey.generate_key("P-256")]).as_dict(private=False)))
    start = ("client", "create", "A", "--school", school_id, "--redirect-uri")

    public = json_of(*start, CALLBACK, "--public")
    native = json_of(*start, "http://127.0.0.1/cb", "--native")
    signing = json_of(
        *(*start, CALLBACK, "--auth-method", "private_key_jwt", "--jwks-file", str(keys))
    )

    assert not any("client_secret" in made for made in (public, native, signing))
    assert public["token_endpoint_auth_method"] == "none"
    assert native["application_type"] == "native"
    assert signing["jwks"]["keys"][0]["kty"] == "EC"


def test_pkce_may_be_left_out_for_an_old_library(json_of: JsonOf, school_id: str) -> None:
    start = ("client", "create", "A", "--school", school_id, "--redirect-uri", CALLBACK)
    assert json_of(*start, "--no-pkce")["require_pkce"] is False


@pytest.mark.parametrize(
    ("arguments", "content"),
    [
        (("A", "--redirect-uri", "http://portal.example/cb"), None),
        (("A", "--redirect-uri", "javascript:alert(1)"), None),
        (("A",), None),
        (("A", "--redirect-uri", CALLBACK, "--scope", "profile"), None),
        (("A", "--redirect-uri", CALLBACK, "--auth-method", "private_key_jwt"), None),
        (("--metadata", "FILE"), b"[]"),
        (("--metadata", "FILE"), b"{"),
        (("--metadata", "FILE"), b"\xff\xfe{}"),
        (("--metadata", "FILE"), b"[" * 100_000),
        (("--metadata", "FILE"), b" " * 2_000_000),
        (("--metadata", "FILE"), b'{"client_name": 1, "redirect_uris": [2]}'),
        (("--metadata", "/nowhere"), None),
    ],
)
def test_a_bad_registration_is_one_line(
    run: Run, school_id: str, tmp_path: Path, arguments: tuple[str, ...], content: bytes | None
) -> None:
    path = tmp_path / "FILE"
    path.write_bytes(content or b"")
    filled_in = [str(path) if each == "FILE" else each for each in arguments]

    refused(run("client", "create", "--school", school_id, *filled_in))

    assert registration.list_clients() == []


def test_an_unknown_school_is_named(run: Run, app: Flask) -> None:
    arguments = ("client", "create", "A", "--school", "s_none", "--redirect-uri", CALLBACK)
    assert "s_none" in refused(run(*arguments))


def works(app: Flask, client_id: str, secret: str) -> bool:
    """Whether this secret proves the application at the token endpoint."""
    data = {"grant_type": "authorization_code", "code": "x"}
    http = app.test_client(use_cookies=False)
    return http.post("/oauth2/token", data=data, auth=(client_id, secret)).status_code == 400


def test_a_rotated_secret_leaves_the_old_one_for_a_while(
    app: Flask, json_of: JsonOf, client_id: str
) -> None:
    first = json_of("client", "rotate-secret", client_id, "--overlap", "0")["client_secret"]
    second = json_of("client", "rotate-secret", client_id, "--overlap", "2h")["client_secret"]
    assert works(app, client_id, first)
    assert works(app, client_id, second)

    json_of("client", "rotate-secret", client_id, "--overlap", "0")

    assert not works(app, client_id, first)
    assert not works(app, client_id, second)


def test_a_secret_that_was_lost_is_made_again_beside_the_one_in_use(
    app: Flask, run: Run, json_of: JsonOf, client_id: str
) -> None:
    used = json_of("client", "rotate-secret", client_id, "--overlap", "0")["client_secret"]
    lost = json_of("client", "rotate-secret", client_id, "--overlap", "2d")["client_secret"]

    result = run("client", "rotate-secret", client_id, "--overlap", "1h")

    again = re.findall(r"^client secret +(\S+)$", result.stdout, re.MULTILINE)[0]
    assert "The one that was made last before this one has ended." in result.stdout
    assert [works(app, client_id, each) for each in (used, lost, again)] == [True, False, True]
    with later(hours=47):  # as the first of the two has promised
        assert works(app, client_id, used)
    with later(hours=49):
        assert not works(app, client_id, used)
        assert works(app, client_id, again)


def test_who_has_entered_the_newest_ends_the_former_before_the_next_rotation(
    app: Flask, run: Run, json_of: JsonOf, client_id: str
) -> None:
    entered = json_of("client", "rotate-secret", client_id)["client_secret"]
    assert run("client", "end-old-secret", client_id).exit_code == 0

    newest = json_of("client", "rotate-secret", client_id)["client_secret"]

    assert works(app, client_id, entered)
    assert works(app, client_id, newest)


@pytest.mark.parametrize("overlap", ["soon", "5", "-1h", "99999999d"])
def test_an_overlap_that_is_no_duration_is_refused(run: Run, client_id: str, overlap: str) -> None:
    assert "--overlap" in refused(run("client", "rotate-secret", client_id, "--overlap", overlap))


def test_a_disabled_client_is_found_no_more(run: Run, client_id: str) -> None:
    assert "is disabled" in run("client", "disable", client_id).stdout
    assert registration.find(client_id) is None
    assert "before" in run("client", "disable", client_id).stdout


@pytest.mark.parametrize("verb", ["show", "disable", "rotate-secret"])
def test_an_unknown_client_is_one_line(run: Run, verb: str) -> None:
    assert "no client app_none" in refused(run("client", verb, "app_none"))


# Accounts


CLAIRE = ("claire.dubois", "--given-name", "Claire", "--family-name", "Dubois")


def test_an_account_is_made_and_invited(json_of: JsonOf, client_id: str) -> None:
    made = json_of("user", "create", *CLAIRE, "--email", "claire@dubois.example", "--invite")
    assert made["status"] == "invited"
    assert [each.kind for each in outbox.list_messages()] == ["invitation"]

    json_of("user", "invite", "Claire.Dubois", "--client", client_id)

    assert outbox.list_messages(account_id=made["id"])[0].about["client_id"] == client_id
    assert json_of("mail", "list", "--status", "queued", "--account", made["id"])[0]["kind"]


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_k3_a_password_comes_by_standard_input(json_of: JsonOf, ending: str) -> None:
    made = json_of("user", "create", *CLAIRE, "--password-stdin", stdin=factories.PASSWORD + ending)
    assert made["status"] == "active"
    assert passwords.verify(made["id"], factories.PASSWORD)


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [
        ("kort", "too short"),
        ("x" * 2000, "too long"),
        ("x" * 9000, "longer than"),
        ("", "no password"),
        ("\n", "no password"),
        ("password1234", "common"),
        ("ClaireDubois1", "own name"),
        (b"\xff\xfe", "not UTF-8"),
        ("one line\nand another", "more than one line"),
    ],
)
def test_a_refused_password_leaves_no_account(run: Run, stdin: str | bytes, reason: str) -> None:
    line = refused(run("user", "create", *CLAIRE, "--password-stdin", stdin=stdin))
    assert reason in line
    assert list(accounts.list_accounts()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "a b", "--given-name", "A", "--family-name", "B"),
        ("create", "abc", "--given-name", "A", "--family-name", "B", "--email", "a@b@c"),
        ("create", "abc", "--given-name", "A", "--family-name", "B", "--locale", "xx"),
        ("create", "abc", "--given-name", "A", "--family-name", "B", "--invite"),
        ("create", "abc", "--given-name", "A\r\nB", "--family-name", "B"),
        ("create", *CLAIRE, "--invite", "--password-stdin"),
        ("create", "abc"),
        ("invite", "nobody"),
        ("disable", "nobody"),
        ("show", "nobody"),
        ("show", "x" * 900),
    ],
)
def test_a_bad_account_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    refused(run("user", *arguments))
    assert list(accounts.list_accounts()) == []


def test_a_taken_user_name_is_one_line(run: Run, json_of: JsonOf) -> None:
    json_of("user", "create", *CLAIRE)
    assert "taken" in refused(run("user", "create", "CLAIRE.Dubois", *CLAIRE[1:]))


def test_an_invitation_by_way_of_no_application_is_refused(run: Run, json_of: JsonOf) -> None:
    json_of("user", "create", *CLAIRE, "--email", "claire@dubois.example")
    refused(run("user", "invite", "claire.dubois", "--client", "app_none"))
    assert outbox.list_messages() == []


def test_accounts_are_listed_and_disabled(run: Run, json_of: JsonOf) -> None:
    made = json_of("user", "create", *CLAIRE)
    factories.account("marc")

    assert "is disabled" in run("user", "disable", made["id"]).stdout

    assert "before" in run("user", "disable", "claire.dubois").stdout
    assert [each["username"] for each in json_of("user", "list", "--status", "disabled")] == [
        "claire.dubois"
    ]
    assert len(json_of("user", "list")) == 2


# Children


def test_a_child_is_enrolled_linked_and_unlinked(run: Run, json_of: JsonOf, school_id: str) -> None:
    json_of("user", "create", *CLAIRE)
    factories.account("marc")
    lina = json_of(
        *("child", "create", "--school", school_id, "--given-name", "Lina"),
        *("--family-name", "Dubois", "--class", "3B", "--number", "77"),
        *("--guardian", "claire.dubois"),
    )
    link = json_of("child", "link", lina["id"], "marc", "--relationship", "father")
    assert link["relationship"] == "father"
    assert json_of("user", "show", "marc")["children"][0]["name"] == "Lina Dubois"
    assert "Lina Dubois" in run("user", "show", "claire.dubois").stdout

    done = run("child", "unlink", lina["id"], "marc", "--reason", "moved")

    assert "no longer a guardian" in done.stdout
    assert json_of("child", "list", "--guardian", "marc") == []
    assert json_of("child", "list", "--guardian", "claire.dubois") == [lina]
    assert json_of("child", "list", "--school", school_id) == [lina]
    assert "no school s_none" in refused(run("child", "list", "--school", "s_none"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--school", "s_none", "--given-name", "A", "--family-name", "B"),
        ("create", "--school", "S", "--given-name", " ", "--family-name", ""),
        ("create", "--school", "S", "--given-name", "A", "--family-name", "B", "--guardian", "no"),
        ("link", "p_none", "marc"),
        ("link", "p_none", "nobody"),
        ("link", "p_none", "marc", "--relationship", "robot"),
        ("unlink", "p_none", "marc"),
        ("list", "--guardian", "nobody"),
    ],
)
def test_a_bad_child_is_one_line(
    run: Run, json_of: JsonOf, school_id: str, arguments: tuple[str, ...]
) -> None:
    factories.account("marc")
    refused(run("child", *[school_id if each == "S" else each for each in arguments]))
    assert json_of("child", "list") == []


# Tokens for letters


def test_a_letter_token_works_and_is_refused_once_active(run: Run, json_of: JsonOf) -> None:
    json_of("user", "create", *CLAIRE)

    issued = json_of("token", "issue", "claire.dubois")

    assert isinstance(one_time_tokens.find(issued["token"]), one_time_tokens.Live)
    assert issued["link"].endswith(f"/welcome#{issued['token']}")
    assert issued["token"] not in run("audit", "list", "--json").stdout
    factories.account("marc")
    assert "active" in refused(run("token", "issue", "marc"))  # rule A5


# Keys


@pytest.fixture
def own_keys(app: Flask, tmp_path: Path) -> Keyring:
    own = Keyring(tmp_path / "keys")
    app.extensions["idp.keyring"] = own
    return own


def test_keys_are_made_rotated_and_retired(run: Run, json_of: JsonOf, own_keys: Keyring) -> None:
    made = json_of("keys", "ensure")
    assert len(made) == 12
    assert json_of("keys", "ensure") == []
    assert "applications may not know it" in refused(run("keys", "rotate"))

    with time_machine.travel(clock.now() + timedelta(hours=2)):
        rotated = json_of("keys", "rotate")
    states = [entry["state"] for entry in rotated]
    assert (states.count("retired"), states.count("current"), states.count("next")) == (6, 6, 6)

    gone = next(entry["kid"] for entry in rotated if entry["state"] == "current")
    assert gone in run("keys", "retire", gone).stdout
    assert gone not in run("keys", "list").stdout
    recorded = {event.event for event in db.session.query(AuditEvent)}
    assert {"key_made", "key_rotated", "key_retired"} <= recorded


def test_k1_a_private_key_is_never_shown(run: Run, own_keys: Keyring) -> None:
    own_keys.ensure()
    for command in (("list",), ("list", "--json"), ("rotate", "--force", "--json")):
        output = run("keys", *command).output
        assert "PRIVATE" not in output
        assert '"d"' not in output


def test_trouble_with_keys_is_one_line(run: Run, own_keys: Keyring) -> None:
    assert "idp keys ensure" in refused(run("keys", "list"))
    own_keys.ensure()
    assert "no key nonsense" in refused(run("keys", "retire", "nonsense"))


# Mail


def test_a_mail_worker_that_finds_no_server_keeps_the_mail(run: Run, json_of: JsonOf) -> None:
    json_of("user", "create", *CLAIRE, "--email", "claire@dubois.example", "--invite")

    result = run("mail", "work", "--once")

    assert result.exit_code == 0
    assert "0 messages" in result.stdout
    assert json_of("mail", "list")[0]["status"] == "queued"
    assert "invitation" in run("mail", "list").stdout


def test_the_worker_works_until_it_is_told_to_stop(environment: dict[str, str]) -> None:
    worker = start(environment, "mail", "work", "--pause", "0.1")
    try:
        assert worker.stderr is not None
        assert "at work" in worker.stderr.readline()
    finally:
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=40)
    assert (worker.returncode, out, err) == (0, "", "")


def test_what_has_expired_is_purged(json_of: JsonOf) -> None:
    with time_machine.travel(clock.now() + timedelta(days=3)):
        removed = {each["table"]: each["removed"] for each in json_of("purge", "--batch", "10")}
    assert set(removed.values()) == {0}
    assert "audit_events" in removed


# Audit


def test_the_audit_trail_is_filtered(json_of: JsonOf, client_id: str) -> None:
    made = json_of("user", "create", *CLAIRE)
    created = json_of("audit", "list", "--event", "account_created", "--account", made["id"])
    assert [event["actor"] for event in created] == ["cli"]  # rule L3
    assert json_of("audit", "list", "--client", client_id)[0]["event"] == "client_created"
    assert json_of("audit", "list", "--result", "refused") == []
    assert json_of("audit", "list", "--until", "2020-01-01") == []
    assert json_of("audit", "list", "--since", "2020-01-01T00:00:00+01:00", "--limit", "1")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "yesterday"),
        ("--until", "0001-01-01T00:00+23:00"),
        ("--event", "x"),
        ("--limit", "0"),
    ],
)
def test_a_filter_that_is_none_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    refused(run("audit", "list", *arguments))


def test_a7_a_filter_cannot_inject(json_of: JsonOf, client_id: str) -> None:
    assert json_of("audit", "list", "--account", "x' OR '1'='1") == []
