"""Processes of a bench: none outlives it, however it ends short of SIGKILL."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys

_children: list[subprocess.Popen] = []


def spawn(command: list, **options: object) -> subprocess.Popen:
    """As `Popen`, in a process group of its own."""
    child = subprocess.Popen(command, start_new_session=True, **options)
    _children.append(child)
    return child


def kill_group(child: subprocess.Popen) -> None:
    """SIGKILL to a child and everything below it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def _end_all() -> None:
    for child in _children:
        if child.poll() is None:
            kill_group(child)


atexit.register(_end_all)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
