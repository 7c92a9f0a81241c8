"""Containers of a test: podman and podman-compose, and the git repository that is documented."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy/test"
os.environ["CONTAINERS_CONF"] = str(HERE / "containers.conf")


def say(text: str) -> None:
    print(text, flush=True)


def run(*command: str, check: bool = True, **options: object) -> str:
    done = subprocess.run(command, text=True, capture_output=True, **options)  # type: ignore[call-overload]
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def podman(*arguments: str, check: bool = True) -> str:
    return run("podman", *arguments, check=check)


def inspect(container: str) -> dict:
    return json.loads(podman("inspect", container))[0]


def until(what: str, seconds: float, question):  # noqa: ANN001, ANN201 - any answer that is true
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


class HealthTimers:
    """Runs the containers' health checks: podman leaves that to systemd, which a test machine need not have."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> HealthTimers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._stop.wait(2):
            for name in podman("ps", "--filter", "health=starting", "--format", "{{.Names}}", check=False).split():
                podman("healthcheck", "run", name, check=False)


def sample_repository(folder: Path, name: str = "sample") -> Path:
    """A bare repository with some of our own sources in it, for the git host."""
    work = folder / "work"
    shutil.rmtree(folder, ignore_errors=True)
    work.mkdir(parents=True)
    shutil.copytree(ROOT / "crates/model", work / "model", ignore=shutil.ignore_patterns("target"))
    shutil.copy(ROOT / "ARCHITECTURE.md", work / "README.md")
    bare = folder / "repositories" / f"{name}.git"
    commit(work, bare)
    return bare.parent


def wide_repository(bare: Path) -> None:
    """More batches than a repository's window takes: ninety files, each nearly as large as a batch may be."""
    work = bare.parent.parent / "wide"
    work.mkdir()
    for number in range(90):
        (work / f"{number}.csv").write_text(f"{number},a,b,c\n" * 50_000)
    commit(work, bare)


def commit(work: Path, *bare: Path) -> None:
    """Makes a repository of a folder, and bare copies of it."""
    git(work, "init", "--quiet", "--initial-branch", "main")
    _commit_all(work, "Begin")
    for place in bare:
        git(work, "clone", "--quiet", "--bare", "--no-hardlinks", str(work), str(place))


def push(work: Path, bare: Path, file: str, text: str) -> str:
    """Commits a change and pushes it; answers with the commit."""
    (work / file).write_text(text)
    _commit_all(work, "Change")
    git(work, "push", "--quiet", str(bare), "main")
    return git(work, "rev-parse", "HEAD").strip()


def _commit_all(work: Path, message: str) -> None:
    git(work, "add", ".")
    git(work, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message", message)


def git(folder: Path, *arguments: str) -> str:
    return run("git", *arguments, cwd=folder, env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"})
