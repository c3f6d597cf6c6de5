"""What ``idp check`` finds in the settings of how long things last."""

from datetime import timedelta
from typing import Final

from idp.doctor import Finding, Findings
from idp.settings import Settings

LONGEST_SESSION: Final = timedelta(days=1)
LONGEST: Final = {
    "step_up_lifetime": timedelta(days=1),
    "access_token_lifetime": timedelta(days=1),
    "id_token_lifetime": timedelta(days=1),
    "key_cache": timedelta(days=1),
    "password_reset_lifetime": timedelta(days=7),
    "first_sign_in_lifetime": timedelta(days=90),
    "refresh_token_lifetime": timedelta(days=400),
}
"""What is longer is a slip of the unit more often than a wish."""
UNITS_DRAIN: Final = timedelta(seconds=20)
"""Beside it, what runs has 30 seconds within the units' ``TimeoutStopSec``."""


def of_settings(settings: Settings) -> Findings:
    """Find what lasts longer than is good, or than was meant."""
    if settings.session_absolute > LONGEST_SESSION:
        yield Finding(
            "notice",
            "sessions",
            f"A browser session lasts up to {settings.session_absolute}, also on shared computers.",
            "Keep IDP_SESSION_ABSOLUTE at a day or less.",
        )
    if settings.code_lifetime > timedelta(minutes=10):
        yield Finding(
            "danger",
            "codes",
            f"Authorization codes work for {settings.code_lifetime}; RFC 6749 §4.1.2 allows 10 "
            "minutes.",
            "Set IDP_CODE_LIFETIME to 60.",
        )
    for name, most in LONGEST.items():
        if getattr(settings, name) > most:
            yield Finding(
                "notice",
                "lifetimes",
                f"IDP_{name.upper()} is {getattr(settings, name)}: more than {most} is seldom "
                "meant.",
                "Look at its unit: without one it counts seconds.",
            )
    if settings.drain > UNITS_DRAIN:
        yield Finding(
            "notice",
            "drain",
            f"A server that leaves serves for {settings.drain} more, and the units of "
            "deploy/systemd end it 50 seconds after it was told to stop.",
            f"Give idp.service TimeoutStopSec={int(settings.drain.total_seconds()) + 45}.",
        )
