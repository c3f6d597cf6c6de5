"""Why a backup could not be made, read or restored: each kind has an exit code of its own, by
which a script tells them apart.
"""


class BackupTrouble(Exception):
    """The text says what is so, and what to do."""

    code = 2


class WrongKey(BackupTrouble):
    """It was encrypted with another key."""

    code = 3


class Damaged(BackupTrouble):
    """Its bytes are not those that were written."""

    code = 4


class Truncated(BackupTrouble):
    """Its end is missing."""

    code = 5


class Appended(BackupTrouble):
    """Something follows its end."""

    code = 6


class Reordered(BackupTrouble):
    """Its pieces are all right, and not in the order in which they were written."""

    code = 7


class Newer(BackupTrouble):
    """A newer release made it, in a form that this one does not know."""

    code = 8
