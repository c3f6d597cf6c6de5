"""docs/integrate/ says of each client which steps of the walk its test goes."""

import re
from pathlib import Path

from tests.installs import walk

_NAMES = re.compile(r'(?:walking|goes_the_walk|walks)\(\s*"([^"]+)"')

_CERTIFIED = re.compile(r'(?:is_certified|walks)\(\s*"([^"]+)"')


def test_the_page_says_what_the_tests_go() -> None:
    page = walk.PAGE.read_text()
    assert page == walk.with_table(page), "python -m tests.installs.walk"


def test_every_client_of_the_table_is_walked_by_a_test_and_no_other() -> None:
    tests = [*Path("tests/installs").glob("test_*.py"), *Path("tests/clients").glob("test_*.py")]
    walked = {name for file in tests for name in _NAMES.findall(file.read_text())}

    assert walked == set(walk.CLIENTS)


def test_every_client_that_is_called_certified_is_tried_and_no_other() -> None:
    tests = Path("tests/installs").glob("test_*.py")
    tried = {name for file in tests for name in _CERTIFIED.findall(file.read_text())}

    assert tried == {each.name for each in walk.CLIENTS.values() if each.certified}


def test_what_a_program_does_not_pass_stands_on_its_page() -> None:
    for client in walk.CLIENTS.values():
        page = (walk.PAGE.parent / client.where).read_text()
        assert not [code for code in client.faults if f"`{code}`" not in page], client.name


def test_every_client_has_a_page_that_registers_it() -> None:
    for client in walk.CLIENTS.values():
        page = (walk.PAGE.parent / client.where).read_text()
        assert "\nidp client create " in page, client.name
        assert "**Run by our tests**" in page, client.name
