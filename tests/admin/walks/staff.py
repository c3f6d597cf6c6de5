"""Staff: listed, given and taken roles, with what can go wrong; and the audit log of it."""

from collections.abc import Iterator

from werkzeug.test import TestResponse

from idp.people import staff
from tests.admin.places import Desk


def walk(desk: Desk) -> Iterator[TestResponse]:
    helper = desk.staff("helper")
    manager = desk.browser("manager")
    staff.let_print(desk.staff("manager").id, "manager", desk.here.id, allowed=True)
    yield manager.open("/admin/staff")
    yield manager.open("/admin/staff/new")
    yield manager.submit("give-form", who="")
    yield manager.submit("give-form", who="nobody", school=desk.here.id, role="helper")
    yield manager.submit("give-form", who="manager", school=desk.here.id, role="helper")
    yield manager.submit("hire-form", given_name="", family_name="", email="")
    person = {"given_name": "Inès", "family_name": "Maes", "role": "helper"}
    yield manager.submit("hire-form", email="no", school=desk.here.id, **person)
    yield manager.submit("hire-form", email="i@maes.example", school=desk.here.id, **person)
    yield manager.open(f"/admin/second-step/{helper.id}")
    yield manager.press("factor-reset-ask")
    yield manager.open("/admin/staff")
    yield manager.open(f"/admin/second-step/{helper.id}")
    yield manager.press("factor-reset-decline")
    yield manager.press("factor-reset-ask")
    other = desk.browser("operator")
    yield other.open(f"/admin/second-step/{helper.id}")
    yield other.press("factor-reset-confirm")
    (role,) = staff.roles_of(helper.id)
    yield manager.open(f"/admin/staff/{role.id}")
    yield manager.press("print-submit")
    yield manager.press("take-submit")
    operator = desk.browser("operator")
    yield operator.open("/admin/staff")
    yield operator.open("/admin/staff/new")
    yield operator.submit("give-form", who="manager", role="operator", school=desk.here.id)
    (own,) = staff.roles_of(desk.staff("operator").id)
    yield operator.open(f"/admin/staff/{own.id}")
    yield manager.open("/admin/journal")
    yield manager.open("/admin/journal?kind=role_granted&day=2020-01-01")
    yield operator.open("/admin/journal")
