"""Entities for keys that lie in the database: each with its sealed private half, and the number
that moves with each change.
"""

from typing import Any

from sqlalchemy import JSON, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import Model

KID_LENGTH = 64


class StoredKey(Model):
    """One key (``idp.oidc.key_files.KeyEntry``); times are ISO 8601 in UTC, as in files."""

    __tablename__ = "stored_keys"

    kid: Mapped[str] = mapped_column(String(KID_LENGTH), primary_key=True)
    alg: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[str] = mapped_column(String(40))
    public: Mapped[dict[str, Any]] = mapped_column(JSON)
    signs_since: Mapped[str | None] = mapped_column(String(40))
    retired_at: Mapped[str | None] = mapped_column(String(40))
    place: Mapped[int] = mapped_column(Integer)
    """Its place in the list."""
    private: Mapped[str | None] = mapped_column(Text)
    """The mark of the secret that sealed it, then nonce and ciphertext; None once it is retired."""


class KeyList(Model):
    """The one row that says how often the list was changed."""

    __tablename__ = "key_lists"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer)
