"""What one stand-in is told when it starts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProviderConfig:
    """``client_secret`` comes from the environment, the rest from the command line."""

    name: str
    port: int
    path: str
    client_id: str
    client_secret: str
    redirect_uri: str
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """The issuer of an OpenID provider; the address of everything else too."""
        return f"http://{self.host}:{self.port}{self.path}"
