"""The invented people of one provider, and what was promised to whom for a minute."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from time import time
from typing import Any

CODE_SECONDS = 60


@dataclass(frozen=True)
class Person:
    """Somebody with an account here. ``note`` is for whoever tries the demo."""

    subject: str
    name: str
    email: str | None
    note: str

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in self.name.split()[:2]).upper()


@dataclass(frozen=True)
class Agreed:
    """What a code stands for."""

    person: Person
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: str | None
    at: int


@dataclass
class Store:
    """People from a file; codes and tokens in memory, gone with the process."""

    people: list[Person]
    codes: dict[str, Agreed] = field(default_factory=dict)
    tokens: dict[str, Agreed] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def read(cls, file: Path) -> "Store":
        document: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
        return cls([Person(**person) for person in document])

    def find(self, subject: str) -> Person | None:
        return next((person for person in self.people if person.subject == subject), None)

    def agree(self, agreed: Agreed) -> str:
        """A code for what was agreed."""
        code = secrets.token_urlsafe(24)
        with self.lock:
            self.codes[code] = agreed
        return code

    def redeem(self, code: str) -> Agreed | None:
        """What the code stands for; it works once, for a minute."""
        with self.lock:
            agreed = self.codes.pop(code, None)
        return agreed if agreed and time() - agreed.at <= CODE_SECONDS else None

    def give_token(self, agreed: Agreed) -> str:
        token = secrets.token_urlsafe(24)
        with self.lock:
            self.tokens[token] = agreed
        return token
