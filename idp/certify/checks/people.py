"""Does the application know who is who? One family after the other signs in."""

from idp.certify.school import Household, Person
from idp.certify.trial import (
    CouldNotBeTold,
    Failed,
    Trial,
    fails_where_it_broke,
    fails_where_it_ends,
    where,
)
from idp.certify.visitor import Visitor


def sign_in(trial: Trial) -> str:
    """The plain walk. What the page shows here says what other checks can look at."""
    home = trial.school["one_child"]
    (child,) = home.children
    with trial.visitor() as visitor:
        visitor.begin()
        if not trial.provider.answers.requests:
            raise CouldNotBeTold(
                f"{where(visitor)} answered {visitor.page.status} and sent nobody to the provider:"
                " --login says where a sign-in begins."
            )
        visitor.resume(home.parent, None)
        if visitor.with_us:
            why = trial.provider.last_refusal() or "its page is still shown"
            raise Failed(f"The sign-in ended at the provider: {why}.")
        landed = f"{where(visitor)} answered {visitor.page.status}"
        named = visitor.look()
    trial.shows_parent = home.parent in named.parents
    trial.shows_child = child in named.children
    if set(named.parents) - {home.parent}:
        raise Failed(f"{home.parent.full_name} signed in; the page names {named}.")
    if trial.shows_parent or trial.shows_child:
        return f"The page names {named}."
    if refusal := trial.provider.last_refusal():
        raise Failed(f"{landed}. The provider had refused: {refusal}.")
    if landed.endswith(" 200"):
        raise CouldNotBeTold(
            f"{landed} and names neither {home.parent.full_name} nor {child.full_name}; --page"
            " names a page that does."
        )
    raise Failed(f"{landed}.")


def child(trial: Trial) -> str:
    """A page that greets the parent and knows of no child has lost it."""
    if "child" not in trial.authorization_request().get("scope", "").split():
        raise CouldNotBeTold("The application does not ask for the scope « child ».")
    home = trial.school["one_child"]
    if not trial.shows_child:
        raise Failed(
            f"The page names {home.parent.full_name} and not {home.children[0].full_name}, whom"
            " the ID token holds. If another page does, --page names it."
        )
    return f"The page names {home.children[0].full_name}."


def child_again(trial: Trial) -> str:
    """In two browsers, one after the other, for two children."""
    trial.needs(child=True)
    home = trial.school["four_children"]
    first, second, *_others = home.children
    for chosen, other in ((first, second), (second, first)):
        with trial.visitor() as visitor:
            visitor.sign_in(home.parent, chosen)
            _fails_unless_about(visitor, chosen, other)
    return f"{first.full_name} the first time, {second.full_name} the second."


def switch(trial: Trial) -> str:
    """« Another child », in one browser."""
    trial.needs(child=True)
    home = trial.school["switched"]
    first, second = home.children
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent, first)
        _fails_unless_about(visitor, first, second)
        page = visitor.switch(home.parent, second)
        if page.status in {404, 405} and not visitor.chose:
            raise CouldNotBeTold(
                f"{where(visitor)} answered {page.status}: --switch says where « another child »"
                " is."
            )
        if not visitor.chose:
            prompt = trial.authorization_request().get("prompt") or "none at all"
            raise Failed(f"The provider asked for no child; the request's prompt was {prompt}.")
        _fails_unless_about(visitor, second, first)
    return f"{first.full_name} before, {second.full_name} after."


def email_key(trial: Trial) -> str:
    """Two parents with one mailbox, and a child each."""
    return _two_people(trial, trial.school["shared_address"], trial.school["shared_address_too"])


def child_key(trial: Trial) -> str:
    """Two parents with a mailbox each, and one child."""
    trial.needs(parent=True)
    home = trial.school["both_parents"]
    other = Household(home.case, home.about, home.parents[1:], home.children)
    return _two_people(trial, home, other)


def _two_people(trial: Trial, one: Household, other: Household) -> str:
    """The second signs in beside the first, who then looks again."""
    with trial.visitor() as first, trial.visitor() as second:
        first.sign_in(one.parent)
        trial.fails_unless_shown(first, one)
        second.sign_in(other.parent)
        trial.fails_unless_shown(second, other)
        named = first.look_again()
    if other.parent in named.parents or set(named.children) - set(one.children):
        raise Failed(
            f"{other.parent.full_name} signed in in another browser; since then the page of"
            f" {one.parent.full_name} names {named}."
        )
    return f"{one.parent.full_name} and {other.parent.full_name} were told apart."


def four_children(trial: Trial) -> str:
    """The third of four."""
    return _chosen(trial, "four_children", 2)


def two_schools(trial: Trial) -> str:
    """The child at the other school."""
    return _chosen(trial, "two_schools", 1)


def _chosen(trial: Trial, case: str, number: int) -> str:
    trial.needs(child=True)
    home = trial.school[case]
    chosen = home.children[number]
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent, chosen)
        _fails_unless_about(visitor, chosen, *(each for each in home.children if each != chosen))
    return f"The page is about {chosen.full_name}."


def no_address(trial: Trial) -> str:
    """No ``email`` claim."""
    return _gets_in(trial, "no_address")


def long_name(trial: Trial) -> str:
    """60 characters."""
    return _gets_in(trial, "long_name")


def other_letters(trial: Trial) -> str:
    """Cyrillic."""
    return _gets_in(trial, "other_letters")


def first_sign_in(trial: Trial) -> str:
    """By a token, with a new password, in the middle of the application's request."""
    return _gets_in(trial, "first_sign_in")


def _gets_in(trial: Trial, case: str) -> str:
    home = trial.school[case]
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        named = trial.fails_unless_shown(visitor, home)
    if trial.shows_parent and home.parent not in named.parents:
        raise Failed(f"{where(visitor)} names {named}, but not {home.parent.full_name}.")
    return f"The page names {named}."


def ended_link(trial: Trial) -> str:
    """Of two children one is left: nobody is asked, and the other is not there."""
    trial.needs(child=True)
    home = trial.school["ended_link"]
    gone, left = home.children
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        _fails_unless_about(visitor, left, gone)
    return f"The page is about {left.full_name}."


def no_child(trial: Trial) -> str:
    """``access_denied``, with a description of its own."""
    home = trial.school["no_child"]
    with trial.visitor() as visitor:
        visitor.sign_in(home.parent)
        _fails_unless_explained(visitor)
    return f"The application answered {visitor.page.status}."


def refused_consent(trial: Trial) -> str:
    """``access_denied``: the application is a third party's for this once."""
    home = trial.school["refused_consent"]
    with trial.visitor() as visitor, trial.provider.asking_for_consent():
        visitor.sign_in(home.parent, consent=False)
        _fails_unless_explained(visitor)
        named = visitor.look()
    if home.parent in named.parents or set(home.children) & set(named.children):
        raise Failed(f"{home.parent.full_name} refused consent; the page names {named}.")
    return "Nobody was signed in."


def _fails_unless_explained(visitor: Visitor) -> None:
    if visitor.with_us:
        raise CouldNotBeTold("The walk ended at the provider.")
    fails_where_it_ends(visitor)


def _fails_unless_about(visitor: Visitor, chosen: Person, *others: Person) -> None:
    named = visitor.look()
    fails_where_it_broke(visitor)
    wrong = [each.full_name for each in others if each in named.children]
    if wrong:
        raise Failed(f"{chosen.full_name} was chosen; {where(visitor)} names {', '.join(wrong)}.")
    if chosen not in named.children:
        raise Failed(f"{chosen.full_name} was chosen; {where(visitor)} names {named}.")
