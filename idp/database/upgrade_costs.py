"""What each migration costs a database that is in use, in one form.

A migration says it itself: ``cost = Cost(…)``. What those before 0051 would say stands here.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Cost:
    """Of tables that were there before, and have rows; on PostgreSQL.

    ``locks``: held for a moment so that whoever writes to them waits; ``fills``: whose rows it
    writes, in batches; ``reads``: whose rows it looks at, for an index or a check, beside traffic.
    ``serves``: whether people are served meanwhile.
    """

    locks: tuple[str, ...] = ()
    fills: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    serves: bool = True


FORMER: Final = {
    "0001": Cost(),
    "0002": Cost(locks=("audit_events",)),
    "0003": Cost(locks=("accounts", "browser_sessions")),
    "0004": Cost(locks=("consents",)),
    "0005": Cost(),
    "0011": Cost(
        locks=("accounts", "browser_sessions", "grants", "interactions"),
        reads=("browser_sessions",),
    ),
    "0012": Cost(locks=("accounts", "audit_events", "one_time_tokens"), reads=("audit_events",)),
    "0013": Cost(
        locks=("accounts", "browser_sessions", "interactions", "schools"),
        reads=("browser_sessions",),
    ),
    "0014": Cost(locks=("accounts", "children", "guardianships", "schools")),
    "0015": Cost(locks=("audit_events", "one_time_tokens", "staff_roles"), reads=("audit_events",)),
    "0016": Cost(
        locks=("accounts", "children", "schools"),
        fills=("accounts", "children"),
        reads=("children", "guardianships"),
    ),
    "0017": Cost(locks=("accounts", "erasure_requests", "guardianships", "schools")),
    "0018": Cost(locks=("clients", "grants"), reads=("grants",)),
    "0019": Cost(locks=("schools",), reads=("outbox",)),
    "0020": Cost(reads=("audit_events",)),
    "0021": Cost(locks=("roster_runs",)),
    "0022": Cost(locks=("accounts", "outbox")),
    "0023": Cost(fills=("accounts",)),
    "0024": Cost(locks=("email_changes", "passwords")),
    "0025": Cost(locks=("accounts", "child_choices", "children", "clients")),
    "0026": Cost(),
    "0027": Cost(locks=("roster_changes", "roster_guardians", "roster_pupils")),
    "0028": Cost(locks=("throttle_counters",)),
    "0029": Cost(locks=("accounts", "children")),
    "0030": Cost(),
    "0031": Cost(locks=("clients",)),
    "0032": Cost(locks=("accounts",)),
    "0033": Cost(),
    "0034": Cost(locks=("audit_events",)),
    "0035": Cost(locks=("factor_resets",), reads=("factor_resets",)),
    "0036": Cost(),
    "0037": Cost(),
    "0038": Cost(locks=("access_tokens", "authorization_codes", "refresh_tokens")),
    "0039": Cost(locks=("clients",)),
    "0040": Cost(locks=("clients",)),
    "0041": Cost(locks=("accounts", "children", "clients")),
    "0042": Cost(locks=("access_tokens", "grants")),
    "0043": Cost(locks=("clients", "grants")),
    "0044": Cost(locks=("clients",)),
    "0045": Cost(locks=("clients", "registration_tokens")),
    "0046": Cost(locks=("clients", "event_deliveries"), reads=("event_deliveries",)),
    "0047": Cost(reads=("audit_events",)),
    "0048": Cost(locks=("audit_events",), reads=("audit_events",)),
    "0049": Cost(
        locks=("accounts", "browser_sessions", "interactions", "schools"),
        reads=("browser_sessions",),
    ),
    "0050": Cost(locks=("accounts",)),
}
