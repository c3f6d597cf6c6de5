"""Which tests run beside which: long ones first, and one worker for all that share a demo.

``pytest-xdist`` gives whole files to workers, those with the most tests first. Files with few but
long tests would come last, and a worker at the end would work alone.
"""

from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

SHARING_A_DEMO = ("tests/examples/", "tests/browser/")
"""Folders that share a demo: thirteen processes that take a while until they answer.

First who only looks at it, then who works with it.
"""


def put_long_ones_first(items: list[pytest.Item]) -> None:
    """Sort files: those that share the demo, those that are marked as slow, then by size."""
    sizes = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def rank(item: pytest.Item) -> tuple[int, bool, int, str]:
        if item.nodeid.startswith(SHARING_A_DEMO):
            # what looks before what works, and each in the order of its files
            return 0, not item.nodeid.startswith(SHARING_A_DEMO[0]), 0, str(item.path)
        return 1, item.path not in slow, -sizes[item.path], str(item.path)

    items.sort(key=rank)


class LongestFirst(LoadFileScheduling):
    """Files in the order of the collection; those that share a demo are as one file."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        shares = nodeid.startswith(SHARING_A_DEMO)
        return "the demo" if shares else str(super()._split_scope(nodeid))
