"""The noun ``idp roster``, whose sentences are English."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask_babel import force_locale

from idp.cli.group import Noun


class _InEnglish(Noun):
    """The import's sentences are those of the desk; a terminal reads them in English."""

    def command(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> Callable[[Callable[..., Any]], click.Command]:
        def decorate(function: Callable[..., Any]) -> click.Command:
            @wraps(function)
            def in_english(*arguments: Any, **options: Any) -> Any:
                with force_locale("en"):
                    return function(*arguments, **options)

            return Noun.command(self, *args, **kwargs)(in_english)

        return decorate


command = _InEnglish("roster", help="Import pupils and guardians from a file.")
