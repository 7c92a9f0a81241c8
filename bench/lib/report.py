"""What a bench prints and keeps: the machine it ran on, tables, JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

from programs import ROOT, revision

RESULTS = ROOT / ".run" / "bench"
# More than this before the bench has begun means that others work here.
BUSY = 0.25


def machine(release: bool) -> dict:
    """The circumstances. Looks for a second how busy the machine is with other things."""
    begin, busy = time.monotonic(), busy_seconds()
    time.sleep(1)
    others = (busy_seconds() - busy) / (time.monotonic() - begin)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "revision": revision(),
        "build": "release" if release else "debug",
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "busy_processors_before": round(others, 2),
    }


def busy_seconds() -> float:
    """Processor seconds that were not idle since the machine started."""
    values = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(values) - values[3] - values[4]) / os.sysconf("SC_CLK_TCK")


def print_machine(about: dict) -> None:
    print(
        f"{about['at']}, revision {about['revision']}, {about['build']} build, {about['processors']} processors,"
        f" {about['memory_gb']} GB"
    )
    if about["build"] != "release":
        print("NOT A MEASUREMENT: a debug build.")
    if about["busy_processors_before"] > BUSY:
        print(f"NOT A MEASUREMENT: {about['busy_processors_before']} processors were busy with other things.")


def progress(text: str) -> None:
    """How far it is, on a line of its own that the next one replaces; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def table(head: list[str], rows: list[list[object]]) -> None:
    """Left-aligned first column, the others to the right."""
    cells = [head, *[[cell(value) for value in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for number, row in enumerate(cells):
        first, *rest = [text.ljust(width) if not column else text.rjust(width)
                        for column, (text, width) in enumerate(zip(row, widths))]  # fmt: skip
        print("  ".join([first, *rest]).rstrip())
        if not number:
            print("-" * (sum(widths) + 2 * (len(widths) - 1)))


def cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def percentile(values: list[float], share: float) -> float | None:
    """The smallest value that at least this share of the values does not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def keep(name: str, result: dict) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nEverything measured: {file.relative_to(ROOT)}")
