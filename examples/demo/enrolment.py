"""Puts the school year into the provider's database, once, through its own services."""

from pathlib import Path

from sqlalchemy import func, select, update

from examples.demo.families import Family, Guardian, Pupil
from examples.demo.foreign_people import PROVIDERS
from examples.demo.ports import Ports
from examples.demo.school_year import SCHOOLS, FictionalSchool, families
from idp import clock
from idp.credentials import passwords
from idp.database import db, transaction
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.federation.models import FederatedLink
from idp.lifecycle.endings import end_guardianship
from idp.people import accounts, linking
from idp.people.children import create_child
from idp.people.models import Account, Child, School
from idp.people.schools import create_school, list_schools

PASSWORD = "lune-carotte-velo-42"  # noqa: S105 - the demo prints it
"""Every active account's: people who try the demo have enough to remember."""


def enrol_once() -> dict[str, School]:
    """The schools by their key; the whole school year is loaded if there is none.

    One transaction: a start that is interrupted leaves nothing behind.
    """
    known = {school.name: school for school in list_schools()}
    if not known:
        password = passwords.hashed(PASSWORD)  # slow on purpose, so once for all
        with transaction():
            _enrol(password)
        known = {school.name: school for school in list_schools()}
    return {key: known[school.name] for key, school in SCHOOLS.items()}


def link_foreign_people(ports: Ports) -> None:
    """Link the foreign people to their accounts, the first time; follow the ports afterwards.

    Whatever somebody unlinked since stays unlinked.
    """
    first = not db.session.scalar(select(func.count()).select_from(FederatedLink))
    with transaction():
        for provider in PROVIDERS:
            issuer = provider.issuer(ports)
            db.session.execute(
                update(FederatedLink)
                .where(FederatedLink.provider == provider.key)
                .values(issuer=issuer)
            )
            for person in provider.people if first else ():
                account = accounts.find_by_username(person.opens) if person.opens else None
                if account is not None:
                    identity = ForeignIdentity(provider.key, issuer, person.subject)
                    links.make(account.id, identity)


def _enrol(password: passwords.Hashed) -> None:
    schools = {key: _school(school) for key, school in SCHOOLS.items()}
    for family in families():
        children = {pupil.given_name: _child(pupil, schools) for pupil in family.pupils}
        for guardian in family.guardians:
            account = _account(guardian, password)
            _link(family, guardian, account, children)
        for pupil in family.pupils:
            if pupil.left:
                children[pupil.given_name].left_at = clock.now()


def _school(school: FictionalSchool) -> School:
    return create_school(
        school.name,
        colour=school.colour,
        contact_name=school.contact_name,
        contact_email=school.contact_email,
        contact_phone=school.contact_phone,
        locale="fr",
        logo_png=(Path(__file__).parent / school.logo).read_bytes(),
    )


def _child(pupil: Pupil, schools: dict[str, School]) -> Child:
    return create_child(
        schools[pupil.school].id, pupil.given_name, pupil.family_name, pupil.class_name
    )


def _account(guardian: Guardian, password: passwords.Hashed) -> Account:
    account = accounts.create_account(
        username=guardian.username,
        given_name=guardian.given_name,
        family_name=guardian.family_name,
        email=guardian.email,
    )
    if guardian.status == "active":
        passwords.store(account.id, password)
        accounts.activate(account)
    return account


def _link(family: Family, guardian: Guardian, account: Account, children: dict[str, Child]) -> None:
    for pupil in family.pupils:
        child = children[pupil.given_name]
        linking.link_guardian(account.id, child.id, guardian.relationship)
        if pupil.given_name in guardian.ended:
            end_guardianship(account.id, child.id, "decision of the family court")
