"""What services refuse: a code for programs, and the values that a sentence names.

No sentence stands here or in any service. Each face owns one table, code → sentence: pages in the
reader's language, the command line in English. Codes are stable; two refusals have one code only
where every face says the same of both.
"""

from typing import Any


class Invalid(ValueError):
    """Something that can't be stored or done as it was given.

    ``field``: what of it is wrong. ``code``: why. ``values``: what a sentence about it names, such
    as a limit: numbers and texts, or a collection of what is allowed. ``others``: what else is
    wrong with the same document, at most one for each field.
    """

    def __init__(self, field: str, code: str, **values: Any) -> None:
        super().__init__(f"{field}: {code}")
        self.field = field
        self.code = code
        self.values = values
        self.others: tuple[Invalid, ...] = ()


class NotFound(LookupError):
    """There is nothing of this id, or nothing within the scope: nobody learns which (rule C3).

    ``kind``: of what, such as ``school``; ``key``: the id that was asked for.
    """

    def __init__(self, kind: str, key: str = "") -> None:
        super().__init__(f"{kind} {key}".rstrip())
        self.kind = kind
        self.key = key


class Conflict(Exception):
    """What was asked for contradicts the state of things, or what somebody else just did.

    ``code`` and ``values``: as with ``Invalid``.
    """

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


class Throttled(Exception):
    """Too many attempts; ``retry_after`` in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"try again in {retry_after} s")
        self.retry_after = retry_after
