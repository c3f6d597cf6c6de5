"""Which new passwords are good enough, and why others are not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from idp.credentials import strength
from idp.credentials.strength import WeakPassword
from tests.conftest import settings_for_tests
from tests.factories import PASSWORD


@pytest.fixture(scope="module")
def configured() -> Iterator[None]:
    """Settings are all that is needed; no database is touched."""
    app = Flask(__name__)
    app.extensions["idp.settings"] = settings_for_tests("sqlite://", Path("keys"))
    with app.app_context():
        yield


OWN = ("claire.dubois", "Claire", "Dubois", "Lina", "Collège des Tilleuls", "iT.SCHOOL")


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "correct horse battery staple",
        "Lina aime les crêpes bretonnes",
        "x7$Kq9!mPw2z",
        "日本語のパスワードです長い",
        "été 2026 au bord du lac",
        "4@8({[<3691!|70$5+%2" * 6,
        "\0q7\0Kd\0v2\0Xp\0",
    ],
)
def test_good_ones_pass(configured: None, password: str) -> None:
    strength.check_new(password, context=OWN)


@pytest.mark.parametrize(
    ("code", "password"),
    [
        ("too_short", "x7$Kq9!mPw2"),
        ("too_short", ""),
        ("too_long", "x7$Kq9!mPw2z" * 11),
        ("too_long", "a\u0301" * 30_000),
        ("common", "motdepasse123"),
        ("common", "Mot de passe 123"),
        ("common", "Wachtwoord-123"),
        ("common", "qwertzuiop12"[:10] + "  "),
        ("contains_name", "LinaDubois2026!"),
        ("contains_name", "LinaDubois12345678"),
        ("contains_name", "l1n@Dub01s!2026"),
        ("contains_name", "collegedestilleuls"),
        ("contains_name", "COLLÈGE-TILLEULS"),
        ("contains_name", "claire.dubois"),
        ("contains_name", "ITSCHOOL-ITSCHOOL"),
        ("easily_guessed", "aaaaaaaaaaaaaaaa"),
        ("easily_guessed", "Motdepasse2026!"),
        ("easily_guessed", "azertyAZERTY12"),
        ("easily_guessed", "\0" * 12),
        ("easily_guessed", "😀" * 20),
    ],
)
def test_bad_ones_are_refused_with_a_reason(configured: None, code: str, password: str) -> None:
    with pytest.raises(WeakPassword) as weak:
        strength.check_new(password, context=OWN)
    assert weak.value.code == code


def test_lengths_are_told(configured: None) -> None:
    with pytest.raises(WeakPassword) as weak:
        strength.check_new("x", context=())
    assert weak.value.params == {"minimum": 12}


def test_own_words_count_only_for_their_owner(configured: None) -> None:
    strength.check_new("Maximilienne-Vandenbroucke", context=OWN)
    with pytest.raises(WeakPassword) as weak:
        strength.check_new("Maximilienne-Vandenbroucke", context=("Maximilienne", "Vandenbroucke"))
    assert weak.value.code == "contains_name"
