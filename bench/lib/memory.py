"""Memory of a bench's processes over time, every second, and the processor time they have taken."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Series:
    """Samples of one service in bytes, in the order of time."""

    resident: list[int] = field(default_factory=list)
    # Pages that processes share are counted once: the fair figure for PostgreSQL's many.
    proportional: list[int] = field(default_factory=list)


class Memory(threading.Thread):
    """Samples until stopped. `processes` says which process ids belong to a name now."""

    def __init__(self, processes: Callable[[], dict[str, list[int]]]):
        super().__init__(daemon=True)
        self.processes = processes
        self.series: dict[str, Series] = {}
        self.stopping = threading.Event()
        self.start()

    def run(self) -> None:
        while not self.stopping.is_set():
            begin = time.monotonic()
            for name, pids in self.processes().items():
                sizes = [size for size in map(memory_of, pids) if size]
                series = self.series.setdefault(name, Series())
                series.resident.append(sum(size[0] for size in sizes))
                series.proportional.append(sum(size[1] for size in sizes))
            self.stopping.wait(max(0.0, 1 - (time.monotonic() - begin)))

    def stop(self) -> dict[str, Series]:
        self.stopping.set()
        self.join()
        return self.series


def memory_of(pid: int) -> tuple[int, int] | None:
    """Resident and proportional bytes of a process; `None` if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    found = dict(re.findall(r"^(Rss|Pss): +(\d+) kB$", text, re.MULTILINE))
    return (int(found["Rss"]) * 1024, int(found["Pss"]) * 1024) if len(found) == 2 else None


def processor_seconds(pid: int) -> float:
    """What a process and all its ended children have taken; 0 if it has ended."""
    try:
        # The name in parentheses may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        try:
            for task in Path(f"/proc/{current}/task").iterdir():
                todo.extend(int(child) for child in (task / "children").read_text().split())
        except OSError:
            continue
    return found
