"""Applications at the desk: who sees which, registering and editing (security rules A1 to A3)."""

import json
import re

import pytest
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from idp.audit.models import AuditEvent
from idp.clients import client_secrets, keys, registration
from idp.clients.models import Client
from idp.database import db
from idp.errors import Invalid
from tests import factories
from tests.admin.client_forms import LIST, controls, edit, register, send
from tests.admin.places import Desk
from tests.relying_party import Browser, RelyingParty
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def events_of(event: str) -> list[AuditEvent]:
    return list(db.session.scalars(select(AuditEvent).where(AuditEvent.event == event)))


def only_client() -> Client:
    db.session.rollback()
    return db.session.scalars(select(Client)).one()


def secret_on(page: TestResponse) -> str | None:
    found = re.search(r'id="client-secret"[^>]*>\s*([\w-]{40,})', page.text)
    return found[1] if found else None


def fresh(client_id: str) -> Client:
    db.session.rollback()
    db.session.expire_all()
    return registration.get_client(client_id)


class TestWhoSeesWhich:
    def test_a2_a_manager_finds_what_serves_their_school_and_no_other_school_of_it(
        self, desk: Desk
    ) -> None:
        shared = RelyingParty.of(desk.here, desk.elsewhere, client_name="Portail commun")
        RelyingParty.of(desk.elsewhere, client_name="Cantine du Parc")
        manager = desk.browser("manager")

        listed = manager.open(LIST).text
        shown = manager.open(f"{LIST}/{shared.client_id}").text

        assert "Portail commun" in listed
        assert "Cantine du Parc" not in listed
        assert desk.here.name in shown
        assert desk.elsewhere.name not in listed + shown

    def test_a2_an_application_of_another_school_is_as_absent_as_one_that_is_not(
        self, desk: Desk
    ) -> None:
        foreign = RelyingParty.of(desk.elsewhere)
        manager = desk.browser("manager")

        pages = [manager.open(f"{LIST}/{each}") for each in (foreign.client_id, "app_nobody", "é")]

        assert [page.status_code for page in pages] == [404, 404, 404]
        random = r"[0-9a-f]{16}|(?<![\w-])app_[\w-]+|%C3%A9|é|(?:csrf_token|once)\S+ value=\S+"
        texts = {re.sub(random, "", page.text) for page in pages}
        assert len({len(text.split()) for text in texts}) == 1

    def test_a2_a_shared_application_tells_a_manager_no_address_that_may_name_another_school(
        self, desk: Desk
    ) -> None:
        shared = RelyingParty.of(
            desk.here, desk.elsewhere, redirect_uris=["https://parc.example/callback"]
        )
        manager = desk.browser("manager")

        assert "parc.example" not in manager.open(f"{LIST}/{shared.client_id}").text
        for page in ("edit", "secret", "settings", "test"):
            assert manager.open(f"{LIST}/{shared.client_id}/{page}").status_code == 403

    def test_a_helper_sees_no_application(self, desk: Desk) -> None:
        RelyingParty.of(desk.here)
        assert desk.browser("helper").open(LIST).status_code == 403

    def test_a_long_list_comes_in_pages(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("idp.desk.applications.service.PAGE", 2)
        for name in ("Anna", "bella", "Carla"):
            RelyingParty.of(desk.here, client_name=name)
        operator = desk.browser("operator")

        first = operator.open(LIST).text
        second = operator.open(f"{LIST}?page=2").text

        assert [name in first for name in ("Anna", "bella", "Carla")] == [True, True, False]
        assert "Carla" in second
        assert operator.open(f"{LIST}?page=0x9'").status_code == 200


class TestWhoUsedIt:
    def test_c3_a_manager_counts_sign_ins_for_their_own_pupils_only(self, desk: Desk) -> None:
        shared = RelyingParty.of(desk.here, desk.elsewhere, scope="openid child")
        factories.family(desk.here, "Lina", username="claire")
        factories.family(desk.elsewhere, "Noah", username="ines")
        for _ in range(2):
            shared.sign_in(Browser(desk.app.test_client()), "claire", scope="openid child")
        shared.sign_in(Browser(desk.app.test_client()), "ines", scope="openid child")
        shared.sign_in(Browser(desk.app.test_client()), "ines", scope="openid")  # no child: whose?

        def numbers(who: str) -> list[str]:
            page = desk.browser(who).open(f"{LIST}/{shared.client_id}").text
            return re.findall(r"<dd>\s*(\d+)\s*</dd>", page)

        assert numbers("manager") == ["1", "2"]
        assert numbers("stranger") == ["1", "1"]
        assert numbers("operator") == ["2", "4"]

    def test_what_is_older_than_thirty_days_is_not_counted(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, scope="openid child")
        factories.family(desk.here, "Lina", username="claire")
        portal.sign_in(Browser(desk.app.test_client()), "claire", scope="openid child")

        with later(days=31):
            page = desk.browser("manager").open(f"{LIST}/{portal.client_id}")

        assert "Personne." in page.text


class TestRegistering:
    def test_name_school_and_address_are_enough(self, desk: Desk) -> None:
        page = register(desk, desk.browser("operator"))

        client = only_client()
        secret = re.search(r'id="client-secret"[^>]*>\s*([\w-]{40,})', page.text)
        assert secret
        assert client_secrets.is_secret(client, secret[1])  # type: ignore[arg-type]
        assert page.headers["Cache-Control"] == "no-store"
        assert client.metadata_["require_pkce"] is True
        assert client.metadata_["scope"] == "openid child"
        assert client.metadata_["first_party"] is False
        assert client.metadata_["child_fields"] == ["sub", "given_name", "school.id"]

    def test_the_form_sent_again_registers_nothing_and_shows_no_other_secret(
        self, desk: Desk
    ) -> None:
        operator = desk.browser("operator")
        operator.open(f"{LIST}/new")
        opened = operator.page
        values = {"client_name": "A", "schools": desk.here.id, "redirect_uris": "https://a.example"}
        first = send(operator, **values)
        before = only_client().secret_hash

        operator.page = opened
        again = send(operator, **values)  # of a double click, browsers show the second answer
        operator.page = opened
        late = send(operator, **values, once=None)  # as when the first answer is kept no more

        assert secret_on(first)
        assert secret_on(again) == secret_on(first)
        assert late.request.path == f"{LIST}/{only_client().id}"
        assert secret_on(late) is None
        assert "client-recipe" not in late.text
        assert only_client().secret_hash == before
        assert len(events_of("client_created")) == 1

    def test_every_problem_stands_at_its_field_and_what_was_typed_stays(self, desk: Desk) -> None:
        page = register(
            desk,
            desk.browser("operator"),
            client_name="",
            schools=None,
            redirect_uris="https://app.example/ok\nhttp://app.example/<b>",
            client_uri="ftp://x.example",
            post_logout_redirect_uris="https://app.example/#top",
            default_max_age="soon",
            method="private_key_jwt",
        )

        assert page.status_code == 400
        for name in ("client_name", "schools", "redirect_uris", "client_uri", "jwks",
                     "post_logout_redirect_uris", "default_max_age"):  # fmt: skip
            assert f'id="{name}-problem"' in page.text, name
            assert f'href="#{name}"' in page.text, name
        assert "http://app.example/&lt;b&gt;" in page.text
        assert "must be https" not in page.text  # programs' English, not the reader's French
        assert controls(page)["default_max_age"] == "soon"
        assert db.session.scalars(select(Client)).all() == []

    def test_a_browser_application_has_no_secret_needs_pkce_and_may_read_answers(
        self, desk: Desk
    ) -> None:
        page = register(desk, desk.browser("operator"), kind="browser", require_pkce=None)

        client = only_client()
        assert 'id="client-secret"' not in page.text
        assert client.secret_hash is None
        assert client.metadata_["token_endpoint_auth_method"] == "none"
        assert client.metadata_["require_pkce"] is True
        assert client.metadata_["origins"] == ["https://app.example"]

    def test_a1_only_an_operator_registers(self, desk: Desk) -> None:
        for who in ("manager", "helper"):
            browser = desk.browser(who)
            assert browser.open(f"{LIST}/new").status_code == 403

    def test_a3_registering_needs_a_fresh_proof(self, desk: Desk) -> None:
        operator = desk.browser("operator")
        operator.open(f"{LIST}/new")

        with later(minutes=30):
            page = send(operator, client_name="A", schools=desk.here.id)

        assert page.request.path == "/account/confirm"
        assert db.session.scalars(select(Client)).all() == []


class TestKeys:
    def test_a_public_key_in_pem_is_taken_from_a_file(self, desk: Desk) -> None:
        key = ECKey.generate_key("P-256")
        pem = key.as_pem(private=False).decode()

        register(desk, desk.browser("operator"), method="private_key_jwt", jwks_file=pem)

        (kept,) = only_client().metadata_["jwks"]["keys"]
        assert kept == {**key.as_dict(private=False), "kid": key.thumbprint()}

    @pytest.mark.parametrize("form", ["pem", "jwk", "jwks", "oct"])
    def test_a_private_key_is_refused_and_neither_kept_shown_nor_logged(
        self, desk: Desk, form: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        key = ECKey.generate_key("P-256")
        secret = str(key.as_dict(private=True)["d"])
        sent = {
            "pem": key.as_pem(private=True).decode(),
            "jwk": json.dumps(key.as_dict(private=True)),
            "jwks": json.dumps({"keys": [key.as_dict(private=True)]}),
            "oct": json.dumps({"keys": [{"kty": "oct", "k": secret}]}),
        }[form]
        middle = sent.splitlines()[1] if form == "pem" else secret
        operator = desk.browser("operator")

        page = register(desk, operator, method="private_key_jwt", jwks=sent)

        assert page.status_code == 400
        assert "clé privée" in page.text
        assert middle not in page.text
        assert middle not in "".join(capfd.readouterr())
        assert db.session.scalars(select(Client)).all() == []
        assert not [e for e in db.session.scalars(select(AuditEvent)) if middle in str(e.detail)]

    @pytest.mark.parametrize(
        "sent", ["{", "x", '{"keys": []}', '{"kty": "RSA"}', "[1]", "-" * 50_000]
    )
    def test_what_holds_no_key_is_refused(self, database_url: str, sent: str) -> None:
        with pytest.raises(Invalid) as refused:
            keys.public_key_set(sent)

        assert refused.value.code == "no_keys"

    @pytest.mark.filterwarnings("ignore:Key size should be")
    def test_a_short_rsa_key_is_refused_in_words(self, desk: Desk) -> None:
        pem = RSAKey.generate_key(1024).as_pem(private=False).decode()

        page = register(desk, desk.browser("operator"), method="private_key_jwt", jwks=pem)

        assert "2048" in page.text
        assert page.status_code == 400


class TestAddresses:
    """What software that goes by e-mail addresses would do to the guardians of its schools."""

    def numbers(self, browser: Browser, client_id: str) -> list[int]:
        page = browser.open(f"{LIST}/{client_id}").text
        if 'id="client-addresses"' not in page:
            return []
        shown = page.split('id="client-addresses"')[1].split("</dl>")[0]
        return [int(number) for number in re.findall(r"<dd>\s*(\d+)\s*</dd>", shown)]

    def test_c3_those_within_the_reach_are_counted_who_share_theirs_or_have_none(
        self, desk: Desk
    ) -> None:
        portal = RelyingParty.of(desk.here, desk.elsewhere)
        readers = [desk.browser("operator"), desk.browser("manager")]
        before = [self.numbers(each, portal.client_id) or [0, 0] for each in readers]
        for name, school in (("anne", desk.here), ("bob", desk.here), ("carl", desk.elsewhere)):
            factories.family(school, "Lina", username=name, email="Famille@dubois.example")
        factories.family(desk.elsewhere, "Tom", username="dora")

        after = [self.numbers(each, portal.client_id) for each in readers]

        more = [
            [a - b for a, b in zip(*each, strict=True)] for each in zip(after, before, strict=True)
        ]
        assert more == [[3, 1], [2, 0]]

    @pytest.mark.parametrize("harmless", [{"email_claim": "unique"}, {"scope": "openid child"}])
    def test_who_gets_no_address_of_theirs_is_not_warned_of(
        self, desk: Desk, harmless: dict[str, str]
    ) -> None:
        for name in ("anne", "bob"):
            factories.family(desk.here, "Lina", username=name, email="famille@dubois.example")
        portal = RelyingParty.of(desk.here, **harmless)
        operator = desk.browser("operator")

        assert self.numbers(operator, portal.client_id) == []
        assert ('id="client-made-up-email"' in operator.page.text) is ("email_claim" in harmless)

    def test_claims_and_address_are_chosen_on_the_form(self, desk: Desk) -> None:
        register(
            desk,
            desk.browser("operator"),
            scope="email",
            id_token_claims=["email", "preferred_username"],
            email_claim="unique",
        )

        document = only_client().metadata_
        assert document["id_token_claims"] == ["email", "preferred_username"]
        assert document["email_claim"] == "unique"

    def test_a_form_from_before_the_fields_leaves_the_address_as_it_is(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, email_claim="unique")

        edit(desk.browser("operator"), portal.registered.client, email_claim=[])

        assert fresh(portal.client_id).metadata_["email_claim"] == "unique"


class TestEditing:
    def test_an_untouched_form_changes_nothing(self, desk: Desk) -> None:
        portal = RelyingParty.of(
            *(desk.here, desk.elsewhere),
            scope="openid email child",
            child_fields=["class", "sub", "school.id"],
            default_acr_values=["phr", "urn:school-idp:acr:two-factor"],
            default_max_age=90,
            grant_types=["authorization_code"],
            subject_type="public",
            client_uri="https://portal.example/",
            id_token_claims=["email", "name"],
            email_claim="unique",
        )
        before = dict(portal.registered.client.metadata_)

        page = edit(desk.browser("operator"), portal.registered.client)

        assert page.status_code == 200
        assert fresh(portal.client_id).metadata_ == before
        assert len(registration.schools_of(portal.client_id)) == 2

    def test_a_change_is_kept_and_the_trail_says_before_and_after(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, client_name="Devoirs")

        edit(desk.browser("operator"), portal.registered.client, client_name="Leçons")

        assert fresh(portal.client_id).name == "Leçons"
        (event,) = events_of("client_changed")
        assert event.detail["changes"] == {"client_name": ["Devoirs", "Leçons"]}
        assert event.school_id == desk.here.id
        assert event.actor == desk.staff("operator").id

    def test_a2_the_trail_of_a_shared_application_is_no_schools_to_read(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)

        edit(
            desk.browser("operator"),
            portal.registered.client,
            schools=[desk.here.id, desk.elsewhere.id],
        )

        (event,) = events_of("client_changed")
        assert event.school_id is None

    def test_two_operators_at_once_overwrite_nothing_unseen(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, client_name="Devoirs")
        operator = desk.browser("operator")
        operator.open(f"{LIST}/{portal.client_id}/edit")
        registration.change(
            portal.client_id, {**portal.registered.client.metadata_, "client_name": "Leçons"}
        )

        page = send(operator, client_name="Tâches")
        kept = fresh(portal.client_id).name
        send(operator)

        assert page.status_code == 400
        assert controls(page)["client_name"] == "Tâches"
        assert kept == "Leçons"
        assert fresh(portal.client_id).name == "Tâches"  # once they have seen it

    def test_a_secret_comes_where_one_is_needed_and_ends_where_none_is(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here, token_endpoint_auth_method="none")
        operator = desk.browser("operator")

        shown = edit(operator, portal.registered.client, kind="web", method="client_secret_post")
        secret = fresh(portal.client_id).secret_hash
        edit(operator, portal.registered.client, kind="browser")

        assert 'id="client-secret"' in shown.text
        assert secret is not None
        assert fresh(portal.client_id).secret_hash is None

    def test_a_manager_edits_nothing(self, desk: Desk) -> None:
        portal = RelyingParty.of(desk.here)
        manager = desk.browser("manager")
        manager.open(f"{LIST}/{portal.client_id}")
        token = re.search(r'name="csrf_token" value="([^"]+)"', manager.page.text)  # type: ignore[union-attr]
        assert token

        for path in ("edit", "secret", "secret/end", "disable", "enable", "test"):
            answer = manager.client.post(
                f"{LIST}/{portal.client_id}/{path}", data={"csrf_token": token[1]}
            )
            assert answer.status_code == 403, path
        assert fresh(portal.client_id).version == 0
