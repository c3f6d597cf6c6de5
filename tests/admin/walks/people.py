"""The search."""

from collections.abc import Iterator

from werkzeug.test import TestResponse

from tests.admin.places import Desk


def walk(desk: Desk) -> Iterator[TestResponse]:
    yield desk.browser("manager").open("/admin/")
