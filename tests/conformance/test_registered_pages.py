"""What a registration shows of the application: logo, policy, terms; and where it starts."""

import re
from collections.abc import Iterator
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from idp.clients import logos, registration
from idp.errors import Invalid
from idp.outgoing.documents import Documents
from tests import factories
from tests.outgoing import servers
from tests.outgoing.conftest import change
from tests.outgoing.servers import Server, reply
from tests.relying_party import World, world

pytestmark = pytest.mark.quick_on("sqlite")


def picture(kind: str = "PNG", size: tuple[int, int] = (600, 400)) -> bytes:
    written = BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(written, kind)
    return written.getvalue()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The application's server, which has its logo."""
    monkeypatch.setattr(logos, "_pictures", Documents("logo_uri", logos._of_answer))
    with servers.running() as server:
        server.answer = reply(picture("JPEG"), Content_Type="image/jpeg")
        yield server


def third_party(client: FlaskClient, **metadata: str) -> World:
    return world(client, "Lina", first_party=False, **metadata)


def test_the_logo_is_shown_from_our_own_storage(client: FlaskClient, pictures: Server) -> None:
    """RFC 7591 §2: logo_uri is displayed to the end-user during approval."""
    there = third_party(client, logo_uri=pictures.address(path="/logo.jpg"))
    page = there.ask(scope="openid child").text
    assert pictures.address() not in page
    [source] = re.findall(r'src="(/branding/application/[^"]+)"', page)

    shown = client.get(source.replace("&amp;", "&"))

    assert shown.mimetype == "image/png"
    with Image.open(BytesIO(shown.data)) as logo:
        assert logo.format == "PNG"
        assert logo.size[1] <= 88
    assert len(pictures.requests) == 1


@pytest.mark.parametrize("answered", ["a page", "a drawing", "a bomb", "large", "away", "redirect"])
def test_without_a_usable_picture_the_page_goes_without(
    client: FlaskClient, pictures: Server, answered: str
) -> None:
    """RFC 7591 §5: what a logo_uri answers is not trusted."""
    pictures.answer = {
        "a page": reply(b"<html>"),
        "a drawing": reply(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        "a bomb": reply(picture(size=(5000, 4000))),
        "large": reply(b"\x89PNG" + b"x" * 70_000),
        "away": reply(b"", "503 Later"),
        "redirect": reply(b"", "302 Found", Location="http://127.0.0.1:1/"),
    }[answered]
    there = third_party(client, logo_uri=pictures.address(path="/logo.png"))
    assert "application-logo" not in there.ask(scope="openid child").text
    client_id = there.portal.client_id
    assert client.get(f"/branding/application/{client_id}/logo.png").status_code == 404


def test_another_address_brings_another_logo_and_none_takes_it_away(
    client: FlaskClient, pictures: Server
) -> None:
    """RFC 7592 §2.2: what is left out of a replacement is deleted."""
    there = third_party(client, logo_uri=pictures.address(path="/1.png"))
    client_id = there.portal.client_id
    document = registration.get_client(client_id).metadata_
    first = logos.digest_of(client_id)
    pictures.answer = reply(picture(size=(40, 40)))

    registration.change(client_id, {**document, "logo_uri": pictures.address(path="/2.png")})
    second = logos.digest_of(client_id)
    registration.change(client_id, {**document, "logo_uri": None})

    assert first != second
    assert logos.digest_of(client_id) is None


def test_a_logo_stays_while_its_address_is_away(client: FlaskClient, pictures: Server) -> None:
    """RFC 7591 §2: logo_uri; a change of something else does not depend on the picture."""
    there = third_party(client, logo_uri=pictures.address(path="/logo.png"))
    client_id = there.portal.client_id
    logos._pictures = Documents("logo_uri", logos._of_answer)
    pictures.answer = reply(b"", "503 Later")
    document = registration.get_client(client_id).metadata_
    registration.change(client_id, {**document, "client_name": "Another"})
    assert logos.digest_of(client_id) is not None


@pytest.mark.parametrize("address", ["https://10.0.0.1/logo.png", "http://homework.example/l.png"])
def test_r14_a_logo_in_a_private_network_is_not_registered(app: Flask, address: str) -> None:
    """RFC 7591 §5: URIs of a registration are checked before the server dereferences them."""
    change(app, demo=False)
    with pytest.raises(Invalid, match="logo_uri"):
        factories.client_app(factories.school(), logo_uri=address)


def test_policy_and_terms_are_linked_where_consent_is_asked(client: FlaskClient) -> None:
    """RFC 7591 §2: policy_uri and tos_uri are displayed to the end-user."""
    there = third_party(
        client, policy_uri="https://portal.example/privacy", tos_uri="https://portal.example/terms"
    )
    page = there.ask(scope="openid child").text
    for name, path in (("consent-policy", "privacy"), ("consent-terms", "terms")):
        link = page.split(f'id="{name}"')[1].split(">")[0]
        assert f'href="https://portal.example/{path}"' in link
        assert 'rel="noopener noreferrer"' in link


@pytest.mark.parametrize("field", ["policy_uri", "tos_uri"])
@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "https://10.0.0.1/", "http://portal.example/", "https://u@x/"],
)
def test_dangerous_links_are_not_registered(app: Flask, field: str, address: str) -> None:
    """RFC 7591 §5: the URIs that end-users are shown lead to web pages, and nowhere else."""
    with pytest.raises(Invalid) as refused:
        factories.client_app(factories.school(), **{field: address})
    assert refused.value.field == field


def test_our_own_page_starts_an_application_with_our_issuer(client: FlaskClient) -> None:
    """OpenID Connect Core §4: initiate_login_uri is called with iss, and keeps its own query."""
    there = world(
        client, "Lina", initiate_login_uri="https://portal.example/start?tenant=7&lang=fr"
    )
    page = there.browser.open("/").text
    wanted = (
        "https://portal.example/start?tenant=7&amp;lang=fr&amp;iss=http%3A%2F%2F127.0.0.1%3A8000"
    )
    assert f'href="{wanted}"' in page


def test_a_home_page_is_no_start_of_a_sign_in(client: FlaskClient) -> None:
    """OpenID Connect Core §4: iss is said to an initiate_login_uri, which knows it."""
    there = world(client, "Lina", client_uri="https://portal.example/")
    page = there.browser.open("/").text
    assert 'href="https://portal.example/"' in page
