"""What is said of an e-mail address or a name, wherever one is typed."""

from typing import Final

from flask_babel import lazy_gettext as _

NO_ADDRESS: Final = _(
    "This is not an e-mail address that mail can reach. Check how it is written, without accents"
    " before the @."
)
NO_NAME: Final = _("Type a name: the first name, the family name, or both.")
