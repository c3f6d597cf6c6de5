"""``idp roster``: pupils and guardians from a school's file; the rules are ``idp.roster``'s."""

from idp.cli.roster import importing, runs
from idp.cli.roster.noun import command

__all__ = ["columns", "command", "importing", "runs", "working"]
