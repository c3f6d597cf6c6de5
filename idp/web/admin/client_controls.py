"""What the form of an application is made of: fields, and with what each is filled in."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from flask_babel import LazyString

from idp.web.admin.client_choices import Choice


class Control(StrEnum):
    """With what a field is filled in."""

    LINE = "line"
    ADDRESS = "address"
    NUMBER = "number"
    LINES = "lines"
    KEYS = "keys"
    SWITCH = "switch"
    ONE = "one"
    """One of several, each with what it means."""
    ALGORITHM = "algorithm"
    """One of several names for programs, or none of them."""
    SEVERAL = "several"
    SCHOOLS = "schools"


@dataclass(frozen=True)
class Field:
    """One field. ``choices``: what can be chosen; of ``ALGORITHM`` what choosing nothing means."""

    name: str
    control: Control
    label: LazyString
    hint: LazyString | str = ""
    choices: Callable[[], list[Choice]] = list
    is_long: bool = False
    """Its choices stand in two columns."""


@dataclass(frozen=True)
class Group:
    """A part of the form. ``key`` is empty for those that are always open."""

    title: LazyString | str
    fields: tuple[Field, ...]
    key: str = ""
    hint: LazyString | str = ""


def switch(name: str, label: LazyString, hint: LazyString) -> Field:
    """A box that is ticked or not."""
    return Field(name, Control.SWITCH, label, hint)


def address(name: str, label: LazyString, hint: LazyString) -> Field:
    """An address on the web."""
    return Field(name, Control.ADDRESS, label, hint)


def algorithms(
    name: str,
    label: LazyString,
    allowed: tuple[str, ...],
    *,
    otherwise: LazyString | None = None,
    hint: LazyString | str = "",
) -> Field:
    """``otherwise``: what it means that none is chosen, where one may be left out."""

    def choices() -> list[Choice]:
        none = [] if otherwise is None else [("", str(otherwise), "")]
        return none + [(each, each, "") for each in allowed]

    return Field(name, Control.ALGORITHM, label, hint, choices)
