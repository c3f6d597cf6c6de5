"""Forms that edit what is stored: beside each field goes what the page showed in it, so that an
older page takes nothing back that a colleague has saved (``idp.desk.people.meanwhile``).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from flask import request
from flask_babel import gettext as _

from idp.desk.people.meanwhile import ChangedMeanwhile
from idp.errors import Invalid
from idp.web.admin import refusals
from idp.web.forms import Form

SHOWN: Final = "was_"
"""What the name of such a hidden field begins with; the macro ``was`` writes them."""


def filled(stored: Mapping[str, str | None]) -> dict[str, str]:
    """The values of a form that shows what is stored."""
    now = {name: value or "" for name, value in stored.items()}
    return now | {f"{SHOWN}{name}": value for name, value in now.items()}


def read(*names: str) -> Form:
    """The posted form, with what its page showed."""
    return Form.read(
        *names, *(f"{SHOWN}{name}" for name in names if f"{SHOWN}{name}" in request.form)
    )


def shown(form: Form, names: Iterable[str]) -> dict[str, str]:
    """What the page of a form showed, by field."""
    return {name: form[f"{SHOWN}{name}"] for name in names if f"{SHOWN}{name}" in form.values}


def explain(
    form: Form, refused: Invalid | ChangedMeanwhile, words: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Say why it was refused. Beside each field that a colleague changed too it says what is stored
    now; sent again, it is what was meant. ``words``: of values that are shown by another word.
    """
    if isinstance(refused, Invalid):
        form.problem(refused.field, refusals.refusal(refused))
        return
    form.notice = refusals.conflict(refused)
    for name, now in refused.stored.items():
        if name in refused.fields:
            value = words.get(now, now)
            sentence = _("Stored now: %(value)s", value=value) if now else _("Stored now: nothing")
            form.problem(name, sentence)
        elif form.values.get(f"{SHOWN}{name}") == form[name]:
            form.values[name] = now
        form.values[f"{SHOWN}{name}"] = now
