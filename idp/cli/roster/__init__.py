"""``idp roster``: pupils and guardians from a school's file; the rules are ``idp.roster``'s."""

from idp.cli.roster import importing, runs  # noqa: F401 - each adds its verbs
from idp.cli.roster.noun import command

__all__ = ["command"]
