"""What applications were told, as the desk shows it: to each school of its own."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape

import pytest
import time_machine

from idp import clock
from idp.deliveries import worker
from idp.lifecycle import endings
from tests import factories, receiver
from tests.admin.places import Desk
from tests.receiver import Receiver
from tests.relying_party import Browser, RelyingParty
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver.running() as listening:
        yield listening


def test_a_school_reads_whether_its_application_was_told(desk: Desk, there: Receiver) -> None:
    parent, (lina,) = factories.family(desk.here, "Lina", username="claire")
    portal = RelyingParty.of(desk.here, **there.registered(), client_name="Portail du Moulin")
    portal.redirect_uri = f"{there.address}/callback"
    home = Browser(desk.app.test_client())
    home.open(portal.authorize_path(scope="openid child"))
    home.sign_in("claire")
    link = f"/admin/pupils/{lina.id}/guardians/{parent.id}"
    manager, operator = desk.browser("manager"), desk.browser("operator")

    endings.end_guardianship(parent.id, lina.id, "court", "court")
    page = unescape(manager.open(link).text)
    assert "Portail du Moulin" in page
    assert "pas encore informée" in page
    there.status = 503
    worker.deliver_due()
    assert "(essais\u00a0: 1)\u00a0; dernière réponse\u00a0: <bdi>503</bdi>" in unescape(
        manager.open(link).text
    )
    there.refuses(400, err="invalid_audience")  # for good: RFC 8935 §2.4
    endings.disable_account(parent.id)
    with later(seconds=6):
        worker.deliver_due()
    page = unescape(operator.open(f"/admin/applications/{portal.client_id}").text)
    assert "refusé par l’application\u00a0: <bdi>400 “invalid_audience”</bdi>" in page


def test_the_desk_says_when_which_application_was_told(desk: Desk, there: Receiver) -> None:
    parent, (lina,) = factories.family(desk.here, "Lina", username="claire")
    portal = RelyingParty.of(desk.here, **there.registered(), client_name="Portail du Moulin")
    portal.redirect_uri = f"{there.address}/callback"
    deaf = RelyingParty.of(desk.here, client_name="Cantine")
    home = Browser(desk.app.test_client())
    home.open(portal.authorize_path(scope="openid child"))
    home.sign_in("claire")
    home.open(deaf.authorize_path(scope="openid child"))
    factories.guardianship(parent, factories.child(desk.here, "Tom"))  # the school knows them still
    manager, operator = desk.browser("manager"), desk.browser("operator")
    ended = datetime(clock.now().year + 1, 3, 9, 13, 2, 41, tzinfo=UTC)  # 14:02 in Brussels

    with time_machine.travel(ended, tick=False):
        endings.end_guardianship(parent.id, lina.id, "court", "court")
        worker.deliver_due()
    pages = [
        manager.open(f"/admin/pupils/{lina.id}/guardians/{parent.id}"),
        manager.open(f"/admin/people/{parent.id}"),
        operator.open(f"/admin/applications/{portal.client_id}"),
    ]

    assert [each["events"] for each in there.events(desk.app.test_client())]
    for page in pages:
        (row,) = re.findall(
            r"<tr>(?:(?!</tr>).)*Le lien avec l’enfant a pris fin.*?</tr>", told(page.text)
        )
        assert f"informée le 9 mars {ended.year} à 14:02" in row
        assert ("Portail du Moulin" in row) is (page is not pages[2]), "its own page names it"
        assert "Cantine" not in told(page.text)
    journal = unescape(manager.open("/admin/journal?kind=application_told").text)
    assert "Une application a été informée de la fin d’un lien" in journal.partition("<table")[2]


def told(page: str) -> str:
    """The table of what applications were told, on one line."""
    (table,) = re.findall(r'<table id="told".*?</table>', page, re.DOTALL)
    return " ".join(unescape(table).split())


def test_another_school_reads_nothing_of_it(desk: Desk, there: Receiver) -> None:
    parent, (lina,) = factories.family(desk.elsewhere, "Lina", username="claire")
    tom = factories.child(desk.here, "Tom")
    factories.guardianship(parent, tom)
    portal = RelyingParty.of(desk.elsewhere, **there.registered(), client_name="Portail d'ailleurs")
    portal.redirect_uri = f"{there.address}/callback"
    home = Browser(desk.app.test_client())
    home.open(portal.authorize_path(scope="openid child"))
    home.sign_in("claire")
    endings.end_guardianship(parent.id, lina.id, "court", "court")

    page = unescape(desk.browser("manager").open(f"/admin/people/{parent.id}").text)

    assert "Tom" in page
    assert "Portail d'ailleurs" not in page
