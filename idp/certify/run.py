"""Runs every check against one application, and says what came of each."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from idp import clock
from idp.certify.checks import answers, notices, people, visits
from idp.certify.robot import Unreachable
from idp.certify.trial import CouldNotBeTold, Failed, Trial
from idp.clients.certification import (
    FAILED,
    LONGEST_SENTENCE,
    PASSED,
    UNTOLD,
    Report,
    Result,
)
from idp.clients.certification_checks import CHECKS

FUNCTIONS: Final[dict[str, Callable[[Trial], str]]] = {
    function.__name__: function
    for function in (
        people.sign_in,
        answers.pkce,
        answers.state,
        answers.nonce,
        answers.issuer,
        answers.audience,
        answers.expired,
        answers.signature,
        answers.rotation,
        answers.userinfo,
        people.child,
        people.child_again,
        people.switch,
        people.email_key,
        people.child_key,
        people.four_children,
        people.no_child,
        people.two_schools,
        people.no_address,
        people.ended_link,
        people.long_name,
        people.other_letters,
        people.first_sign_in,
        people.refused_consent,
        visits.cancelled,
        visits.repeated,
        visits.second_tab,
        visits.sign_out,
        visits.ended,
        visits.sibling,
        notices.logout_token,
        notices.security_event,
    )
}
NEEDS: Final = {
    **dict.fromkeys(("switch", "four_children"), ("child_again",)),
    "sibling": ("child_again", "ended"),
    "security_event": ("child_again", "ended", "sibling"),
}
"""Who keeps the first child for ever can't show another: each mistake is named once."""
NOBODY_IN: Final = "Nobody was seen signed in."
_ALONE: Final = frozenset({"sign_in", "pkce"})
"""What can be told where nobody gets in."""


def results(trial: Trial, only: Collection[str] = ()) -> Iterator[Result]:
    """Each result as it comes, in the order of ``CHECKS``; ``only`` these, and what they need."""
    for check in CHECKS:
        if only and check.code not in _with_needs(only):
            continue
        verdict, seen = _outcome(trial, check.code)
        trial.verdicts[check.code] = verdict
        yield Result(check.code, verdict, seen[:LONGEST_SENTENCE])


def report(
    trial: Trial,
    only: Collection[str] = (),
    each: Callable[[Result], None] = lambda _result: None,
) -> Report:
    """All results; ``each`` is told as they come."""
    seen = []
    for result in results(trial, only):
        each(result)
        seen.append(result)
    return Report(trial.target.home, clock.now().isoformat(timespec="seconds"), seen)


def _with_needs(only: Collection[str]) -> set[str]:
    needed = {each for code in only for each in NEEDS.get(code, ())}
    return {"sign_in", *only, *needed, *(each for code in needed for each in NEEDS.get(code, ()))}


def _outcome(trial: Trial, code: str) -> tuple[str, str]:
    try:
        if code not in _ALONE and trial.verdicts.get("sign_in") != PASSED:
            raise CouldNotBeTold(NOBODY_IN)
        for needed in NEEDS.get(code, ()):
            trial.needs_no_mistake_in(needed)
        return PASSED, FUNCTIONS[code](trial)
    except Failed as failed:
        return FAILED, str(failed)
    except CouldNotBeTold as untold:
        return UNTOLD, str(untold)
    except Unreachable as unreachable:
        return (FAILED if code == "sign_in" else UNTOLD), f"{unreachable}."
