"""Whether a new password is good enough: long, not common, not one's own name, hard to guess.

No composition rules (NIST SP 800-63B-4 §3.1.1.2). The guesses are zxcvbn's estimate, over
its own lists and ours of French, Dutch and German words.
"""

import re
import unicodedata
from collections.abc import Iterable

from idp import settings
from idp.people.names import sort_key

FEWEST_GUESSES = 10**8
"""zxcvbn's « safely unguessable » for a slow, throttled check begins here (its score 3)."""
FEWEST_BESIDE_NAMES = 10**6
"""Guesses that what remains must take once the person's own words are taken away."""
SHORTEST_NAME = 3
_PIECE = 64

Ranks = dict[str, int]


class WeakPassword(Exception):
    """A new password is refused: ``code`` says why, ``params`` fill the sentence.

    Codes: ``too_short`` (minimum), ``too_long`` (maximum), ``common``, ``contains_name``,
    ``easily_guessed``. The web turns them into the reader's language.
    """

    def __init__(self, code: str, **params: int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def check_new(password: str, *, context: Iterable[str]) -> None:
    """Raise ``WeakPassword`` unless this may become a password.

    ``context``: the person's own words – names, user name, address, school, product.
    Takes up to some 0.1 s: give the database connection back first (rule E5).
    """
    from idp.credentials import guesses

    _check_length(password)
    password = unicodedata.normalize("NFC", password)
    if _squeezed(sort_key(password)) in guesses.common():
        raise WeakPassword("common")
    words = _words(context)
    if _is_mostly(password, words):
        raise WeakPassword("contains_name")
    if not _hard_to_guess(password, dict.fromkeys(words, 1)):
        named = _hard_to_guess(password, {})
        raise WeakPassword("contains_name" if named else "easily_guessed")


def _check_length(password: str) -> None:
    configured = settings.current()
    # Normalisation takes quadratic time on marks piled up on purpose: not beyond reason
    possible = len(password) <= 4 * configured.password_maximum
    length = len(unicodedata.normalize("NFC", password)) if possible else len(password)
    if length < configured.password_minimum:
        raise WeakPassword("too_short", minimum=configured.password_minimum)
    if length > configured.password_maximum:
        raise WeakPassword("too_long", maximum=configured.password_maximum)


def _is_mostly(password: str, words: list[str]) -> bool:
    """Whether little but the person's own words, plainly or as « L1n@ », makes the password.

    A long sentence may well name a child (SP 800-63B-4 §3.1.1.2 compares the whole, not what
    it contains); « LinaDubois12345678 » may not.
    """
    folded = sort_key(password)
    rest = re.sub("|".join(map(_in_disguise, words)) or "$", "", folded)
    return rest != folded and not _hard_to_guess(rest, {}, FEWEST_BESIDE_NAMES)


def _in_disguise(word: str) -> str:
    """A pattern for a word with some letters written as the signs that resemble them."""
    from idp.credentials.guesses import RESEMBLING

    signs = ((letter, RESEMBLING.get(letter, [])) for letter in word)
    return "".join(f"[{re.escape(''.join([letter, *others]))}]" for letter, others in signs)


def _words(context: Iterable[str]) -> list[str]:
    """The words in ``context``, whole and in parts, without accents, longest first."""
    words = set()
    for text in context:
        folded = sort_key(text)
        words.add(_squeezed(folded))
        words.update(re.split(r"[\W_]+", folded))
    return sorted((w for w in words if len(w) >= SHORTEST_NAME), key=lambda w: (-len(w), w))


def _hard_to_guess(password: str, own_words: Ranks, fewest: int = FEWEST_GUESSES) -> bool:
    """By zxcvbn's estimate of the beginning or the end: its time grows with the square."""
    from idp.credentials.guesses import guesses

    pieces = {password[:_PIECE], password[-_PIECE:]}
    return any(guesses(piece, own_words) >= fewest for piece in pieces)


def _squeezed(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
