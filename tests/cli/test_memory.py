"""What a worker of ``idp serve`` takes of the machine once it has served for a while."""

from pathlib import Path
from typing import Final

import pytest

from bench import plans, provider, world
from bench.exchange import Plan
from bench.processes import free_port
from bench.wire import Crowd
from idp import Settings, create_app
from idp.database import db

FLOWS: Final = 60
MOST: Final = 90
"""MB in proportion (« PSS »): its own pages, and of each that processes share its part. What it has
in all (« RSS ») counts the libraries and all that was loaded before the fork once for each process.
"""
MOST_RESIDENT: Final = 135


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_takes_no_more_than_90_mb_of_the_machine(
    tmp_path: Path, database_url: str
) -> None:
    port = free_port()
    environment = provider.environment(tmp_path, database_url, port)
    app = create_app(Settings.from_environment(environment))
    there = world.build(app, port, guardians=4, residents=4, applications=1)
    with app.app_context():
        db.engine.dispose()

    def many(number: int) -> Plan:
        for _ in range(FLOWS // len(there.residents)):
            yield from plans.code_flow(there.target, there.residents[number])

    with provider.serving(environment, port, None) as group:
        Crowd(port).run([many(number) for number in range(len(there.residents))])
        taken = {pid: memory_of(pid) for pid in members(group)}

    assert len(taken) == 4, "the keeper, the main process, two workers"
    for shared, resident in taken.values():
        assert shared <= MOST, taken
        assert resident <= MOST_RESIDENT, taken


def members(group: int) -> list[int]:
    """The processes of a group."""
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[2]) == group:
            found.append(int(each.parent.name))
    return found


def memory_of(pid: int) -> tuple[int, int]:
    """MB in proportion, and resident."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kept = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return int(kept["Pss"].split()[0]) // 1024, int(kept["Rss"].split()[0]) // 1024
