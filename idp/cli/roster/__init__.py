"""``idp roster``: pupils and guardians from a school's file; the rules are ``idp.roster``'s."""

from idp.cli.roster import columns, importing, runs, working
from idp.cli.roster.noun import command

__all__ = ["columns", "command", "importing", "runs", "working"]
