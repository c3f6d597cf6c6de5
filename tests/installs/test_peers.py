"""The comparison with node-oidc-provider: both answer every visit rightly."""

import subprocess
import sys

from bench.peers.contest import CONTESTANTS, KINDS


def test_every_provider_answers_every_visit() -> None:
    command = [sys.executable, "-m", "bench.peers", "--quick", "--at-once", "2", "--strict"]

    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(name in done.stdout for name in (*CONTESTANTS, *KINDS))
