"""What a form writes that was open while a colleague saved: what its sender changed, no more."""

from collections.abc import Mapping

from idp.errors import Conflict


class ChangedMeanwhile(Conflict):
    """The sender and a colleague changed the same; nothing was written.

    ``stored``: what each field of the form holds by now; ``fields``: those in question.
    """

    def __init__(self, stored: Mapping[str, str], fields: tuple[str, ...]) -> None:
        super().__init__("changed_meanwhile")
        self.stored = dict(stored)
        self.fields = fields


def kept(
    typed: Mapping[str, str], shown: Mapping[str, str] | None, stored: Mapping[str, str | None]
) -> dict[str, str]:
    """What to write of what was typed. The caller holds what is ``stored``.

    ``shown``: what the sender's page showed; None, or a field that is not in it: what was typed
    counts. A field that the sender left alone stays as it is stored. Raises ``ChangedMeanwhile``
    where another value is stored than the page showed, and what was typed is neither of the two;
    also where the sender changed nothing at all, as they may have meant just what they saw.
    """
    if shown is None:
        return dict(typed)
    now = {name: stored[name] or "" for name in typed}
    moved = {name for name in typed if name in shown and not _same(shown[name], now[name])}
    edited = {name for name in typed if name not in shown or not _same(typed[name], shown[name])}
    both = {name for name in moved & edited if not _same(typed[name], now[name])}
    in_question = both or (moved if not edited else set())
    if in_question:
        raise ChangedMeanwhile(now, tuple(name for name in typed if name in in_question))
    return {name: typed[name] if name in edited else now[name] for name in typed}


def _same(one: str, other: str) -> bool:
    """As fields of one line are stored: spaces around and between don't count."""
    return one.split() == other.split()
