"""What an application may see of a parent, in sentences that a parent understands."""

from collections.abc import Collection

from flask_babel import gettext as _


def sentences(scopes: Collection[str], child_fields: Collection[str], *, child: bool) -> list[str]:
    """A sentence for each thing, the plainest first. ``child``: whether it sees the child."""
    of_scope = {
        "openid": _("Recognise you when you come back"),
        "profile": _("See your name, user name and language"),
        "email": _("See your e-mail address"),
        "offline_access": _("Keep this access while you are away, until you withdraw it"),
    }
    shown = [sentence for scope, sentence in of_scope.items() if scope in scopes]
    if child:
        fields = set(child_fields)
        shown += [sentence for group, sentence in _about_child() if fields & group]
    return shown


def _about_child() -> list[tuple[set[str], str]]:
    """A sentence for each group of fields of the ``child`` claim; together they name all."""
    return [
        ({"sub"}, _("Recognise your child when you come back")),
        ({"selection", "selected_at"}, _("See when and how you chose this child")),
        ({"switchable"}, _("See whether you could have chosen another child")),
        ({"given_name"}, _("See your child's first name")),
        ({"family_name"}, _("See your child's family name")),
        ({"school.id", "school.name"}, _("See your child's school")),
        ({"class"}, _("See your child's class")),
        ({"relationship"}, _("See what you are to your child, such as mother or guardian")),
        ({"sourced_id"}, _("See your child's number at the school")),
    ]
