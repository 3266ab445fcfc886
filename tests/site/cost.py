"""What a command costs: seconds, and the memory of it and all its children together."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROCESSORS = 2
"""What a command gets, so that memory does not grow with the machine."""
PAUSE = 0.1


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall's clock and of all processors, and the greatest memory in bytes.

    Memory that processes share is counted once.
    """

    wall: float
    cpu: float
    memory: int

    @property
    def bound(self) -> float:
        """Seconds that an idle machine surely needs no more than.

        Others may take the processors, which the wall's clock sees; work that is shared counts
        twice in the processors' time.  Of two upper bounds the smaller one is the better.
        """
        return min(self.wall, self.cpu)


def cost(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Cost:
    """Run `command` in `folder`, which must succeed, with `env` besides the environment."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **env}, stdout=subprocess.DEVNULL
    )
    os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[:PROCESSORS])
    most = ended = 0
    while not ended:
        most = max(most, sum(map(_memory, _family(process.pid))))
        time.sleep(PAUSE)
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (command, process.returncode)
    return Cost(wall, used.ru_utime + used.ru_stime, most)


def _family(process: int) -> Iterator[int]:
    yield process
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _memory(process: int) -> int:
    """Return the proportional set size in bytes; of a process that is gone, nothing."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0
