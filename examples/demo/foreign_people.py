"""Who has an account at the demo's other providers, and whose account here it opens."""

from dataclasses import asdict, dataclass
from typing import Any

from examples.demo.ports import HOST, Ports


@dataclass(frozen=True)
class ForeignPerson:
    """Somebody at a provider. ``opens``: the user name of the account that it is linked to."""

    subject: str
    name: str
    email: str | None
    opens: str | None = None

    def as_document(self) -> dict[str, Any]:
        """As the stand-in reads it."""
        note = f"relié au compte {self.opens}" if self.opens else "relié à aucun compte"
        columns = {name: text for name, text in asdict(self).items() if name != "opens"}
        return {**columns, "note": note}


@dataclass(frozen=True)
class ForeignProvider:
    """A stand-in of the demo. ``port`` is a field of ``Ports``."""

    key: str
    label: str
    kind: str
    port: str
    path: str
    client_id: str
    people: tuple[ForeignPerson, ...]

    def url(self, ports: Ports) -> str:
        """Its address, and the issuer of an OpenID provider."""
        return f"http://{HOST}:{getattr(ports, self.port)}{self.path}"

    def issuer(self, ports: Ports) -> str:
        """What its links are kept under: Facebook has one name wherever its Graph is."""
        return "https://www.facebook.com" if self.kind == "graph" else self.url(ports)


PROVIDERS = (
    ForeignProvider(
        *("google", "Google", "openid", "google", "", "demo-google.apps.example"),
        (
            ForeignPerson(
                *("110512044907830001", "Sophie Lambert", "sophie.lambert@mail.example"),
                "sophie.lambert",
            ),
            ForeignPerson("110512044907830002", "Karim Benali", "karim.b@mail.example"),
            ForeignPerson("110512044907830003", "Nadia El Amrani", "nadia.ea@mail.example"),
        ),
    ),
    ForeignProvider(
        *("facebook", "Facebook", "graph", "facebook", "", "200400600800"),
        (
            ForeignPerson(
                *("10220304050607001", "Marie-Anne Dubois", "marieanne@mail.example"),
                "marie-anne.dubois",
            ),
            ForeignPerson("10220304050607002", "Luc Janssens", None),
        ),
    ),
    ForeignProvider(
        *("cabanga", "Cabanga", "openid", "cabanga", "/realms/cabanga", "it-school-demo"),
        (
            ForeignPerson(
                *("0f6c3d52-7f0e-4a51-9d0b-51a6a1c0e001", "Élodie Vanderstraeten"),
                "elodie.vanderstraeten@familles.example",
                "elodie.vanderstraeten",
            ),
            ForeignPerson(
                *("0f6c3d52-7f0e-4a51-9d0b-51a6a1c0e002", "Pierre Moreau"),
                "pierre.moreau@familles.example",
            ),
        ),
    ),
)
