"""Where the tests of the desk begin: two schools, and their staff."""

from dataclasses import dataclass, field

from flask import Flask
from sqlalchemy import update

from idp.credentials.models import TotpSecret
from idp.database import transaction
from idp.people import accounts, staff
from idp.people.models import Account, School
from tests import factories
from tests.relying_party import Browser
from tests.second_factors import code_now, switch_on


@dataclass
class Desk:
    """A school (``here``), another one (``elsewhere``), and browsers of the staff of each."""

    app: Flask
    here: School
    elsewhere: School
    language: str = "fr"
    """What the staff's browsers ask for (``Accept-Language``)."""
    _secrets: dict[str, str] = field(default_factory=dict)

    def staff(self, who: str, *, may_print: bool = False) -> Account:
        """The account of ``operator``, ``manager``, ``helper``, or ``stranger``: the manager of
        the other school. Made at first need."""
        known = accounts.find_by_username(who)
        role = "manager" if who == "stranger" else who
        school = {"operator": None, "stranger": self.elsewhere.id}.get(who, self.here.id)
        if known is not None:
            if may_print:
                staff.let_print(known.id, role, school, allowed=True)
            return known
        account = factories.account(who, given_name=who.capitalize(), family_name="Bureau")
        staff.grant(account.id, role, school, may_print=may_print)
        factories.long_in_office()
        self._secrets[who], _codes = switch_on(account.id)
        return account

    def browser(self, who: str, *, may_print: bool = False) -> Browser:
        """A browser in which this member of staff has signed in, in two steps."""
        self.staff(who, may_print=may_print)
        browser = Browser(self.app.test_client())
        browser.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = self.language
        browser.open("/")
        browser.sign_in(who)
        with transaction() as writes:  # the code of now counts as unused, for another browser too
            writes.execute(update(TotpSecret).values(last_step=0))
        browser.submit("second-factor-form", code=code_now(self._secrets[who]))
        assert browser.shows("open-desk"), browser.page and browser.page.text[:3000]
        return browser


def desk_of(app: Flask) -> Desk:
    """Two schools with their desks."""
    here = factories.school()
    elsewhere = factories.school("Athénée du Parc", contact_email="bureau@parc.example")
    return Desk(app, here, elsewhere)
