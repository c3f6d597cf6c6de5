"""How many guesses a password takes: zxcvbn's estimate, over its own lists and ours.

Its lists take 12 MB: ``idp.credentials.strength`` loads this module when somebody chooses a
password.
"""

from functools import cache
from importlib.resources import files
from math import prod
from typing import Any, Final, cast

from zxcvbn import matching, scoring
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from idp.people.names import sort_key, unaccented

RESEMBLING: Final[dict[str, list[str]]] = matching.L33T_TABLE
"""The signs that are written for each letter."""
_MOST_SUBSTITUTIONS: Final = 16
_CHECKS: Final = (
    matching.dictionary_match,
    matching.reverse_dictionary_match,
    matching.spatial_match,
    matching.sequence_match,
    matching.regex_match,
    matching.date_match,
)
_COSTLY_CHECKS: Final = (matching.l33t_match, matching.repeat_match)

Ranks = dict[str, int]


def guesses(piece: str, own_words: Ranks) -> float:
    """The estimate for a short text; ``own_words``: what a guesser tries first."""
    if not piece:
        return 1
    # zxcvbn() itself keeps the user's words in a global: another thread would see them
    ranked = {**matching.RANKED_DICTIONARIES, "ours": _our_words(), "user_inputs": own_words}
    checks = _CHECKS if _takes_ages(piece) else _CHECKS + _COSTLY_CHECKS
    matches: list[dict[str, Any]] = []
    for text in {piece, unaccented(piece)}:
        if len(text) == len(piece):  # otherwise positions would differ
            for check in checks:
                matches.extend(check(text, _ranked_dictionaries=ranked))
    matches.sort(key=lambda match: (match["i"], match["j"]))
    return cast(float, scoring.most_guessable_match_sequence(piece, matches)["guesses"])


def _takes_ages(piece: str) -> bool:
    # zxcvbn tries each reading of 1, !, |, 7 … as letters, and a text of many such signs
    # kept it busy for seconds: whoever has so many is not writing a word in disguise
    table = matching.relevant_l33t_subtable(piece, matching.L33T_TABLE)
    return prod(len(signs) for signs in table.values()) > _MOST_SUBSTITUTIONS


@cache
def _our_words() -> Ranks:
    """Our list with the most common first, as zxcvbn ranks a dictionary."""
    text = files("idp.credentials").joinpath("common_passwords.txt").read_text("utf-8")
    lines = (line.strip() for line in text.splitlines())
    words = [sort_key(line) for line in lines if line and not line.startswith("#")]
    return {word: rank for rank, word in enumerate(dict.fromkeys(words), 1)}


@cache
def common() -> frozenset[str]:
    """Passwords that many people use, folded."""
    return frozenset(FREQUENCY_LISTS["passwords"]) | frozenset(_our_words())
