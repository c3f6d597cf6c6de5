"""Where the tests of the desk begin: two schools, and their staff."""

from dataclasses import dataclass, field

from flask import Flask

from idp.people import accounts, staff
from idp.people.models import Account, School
from tests import factories
from tests.entrance import PASSWORD_AND_CODE, enter
from tests.relying_party import Browser
from tests.second_factors import switch_on


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
        self._secrets[who], _codes = switch_on(account.id)
        factories.long_in_office()
        return account

    def browser(self, who: str, *, may_print: bool = False) -> Browser:
        """A browser in which this member of staff has signed in, in two steps."""
        account = self.staff(who, may_print=may_print)
        browser = Browser(self.app.test_client())
        browser.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = self.language
        enter(browser.client, account, *PASSWORD_AND_CODE)
        return browser


def desk_of(app: Flask) -> Desk:
    """Two schools with their desks."""
    here = factories.school()
    elsewhere = factories.school("Athénée du Parc", contact_email="bureau@parc.example")
    return Desk(app, here, elsewhere)
