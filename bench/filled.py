"""A platform that was filled: for one run, or kept, and each run measures a copy."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from bench import databases
from tests import postgres

_FILLED: Final = "filled"
_MEASURED: Final = "measured"


@dataclass(frozen=True)
class Platform:
    """What a run needs of it: a folder with its keys, its settings, and its application."""

    folder: Path
    variables: dict[str, str]
    client_id: str
    secret: str


Make = Callable[[Path, str], Platform]
"""Fills an empty database, by its folder and its address; leaves no connection open."""


@contextmanager
def platform(kept: Path | None, make: Make) -> Iterator[Platform]:
    """The platform that ``make`` makes; with a folder, a copy of the one that stays there.

    A copy, because sign-ins and the purge change it: each run begins with the same.
    """
    if kept is None:
        with (
            tempfile.TemporaryDirectory(prefix="idp-scale-") as name,
            databases.fresh("postgresql", Path(name)) as url,
        ):
            yield make(Path(name), url)
        return
    with postgres.kept_cluster(kept / "postgres") as base:
        known = _known(kept) or _made(kept, base, make)
        postgres.drop_database(base, _MEASURED)
        postgres.administer(
            base, f"CREATE DATABASE {_MEASURED} TEMPLATE {_FILLED} STRATEGY file_copy"
        )
        with tempfile.TemporaryDirectory(prefix="idp-scale-") as name:
            # Its keys too: beside them stands how far its database had come
            keys = shutil.copytree(kept / "keys", Path(name, "keys"))
            ours = {"DATABASE_URL": f"{base}/{_MEASURED}", "IDP_KEYS_FOLDER": str(keys)}
            yield replace(known, folder=Path(name), variables={**known.variables, **ours})


def _known(kept: Path) -> Platform | None:
    file = kept / "platform.json"
    if not file.exists():
        return None
    return Platform(**{**json.loads(file.read_text()), "folder": kept})


def _made(kept: Path, base: str, make: Make) -> Platform:
    postgres.drop_database(base, _FILLED)  # one that was left half filled
    shutil.rmtree(kept / "keys", ignore_errors=True)
    made = make(kept, postgres.create_database(base, _FILLED))
    file = kept / "platform.json"
    file.touch(mode=0o600)
    ours = {name: made.variables[name] for name in made.variables if name.startswith("IDP_")}
    file.write_text(json.dumps(asdict(replace(made, variables=ours)), default=str))
    return made
