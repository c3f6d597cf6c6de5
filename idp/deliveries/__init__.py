"""What applications are told of: sessions, guardianships and permissions that end.

A row goes in with what happened, in its transaction (``noting``); ``idp notify work`` sends it
(``worker``), again and again for a day, as a logout token or a security event (``tokens``).
"""
