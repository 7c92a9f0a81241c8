"""nats-server and PostgreSQL as the product's embedded mode runs them: every write on the disk before it is confirmed.

A bench runs below `caffeine-with-servers --durable`, which starts both and ends them with the bench.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import nats
import psycopg

from children import spawn

NATS = "CAFFEINE_NATS_URL"
DATABASE = "CAFFEINE_DATABASE_URL"
INSIDE = "CAFFEINE_BENCH_INSIDE"


def is_below() -> bool:
    """Whether the servers of this run are there already."""
    return INSIDE in os.environ


def run_below(programs: Path, script: Path, arguments: list[str]) -> None:
    """Becomes `caffeine-with-servers`, which starts this script again."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CAFFEINE_")}
    environment[INSIDE] = "yes"
    environment["CAFFEINE_TOOLS"] = str(Path(__file__).resolve().parent.parent.parent / ".tools")
    program = str(programs / "caffeine-with-servers")
    command = [program, "--durable", "--", sys.executable, str(script), *arguments]
    os.execve(program, command, environment)


def processes_below(parent: int) -> dict[int, str]:
    """The command lines of a process's children, by id."""
    found = {}
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().rstrip("\0")
            except OSError:
                continue
    return found


def servers_of_this_run() -> tuple[int, int]:
    """The process ids of nats-server and of PostgreSQL's first process."""
    below = processes_below(os.getppid())
    nats_server = [pid for pid, line in below.items() if line.split("\0")[0].endswith("/nats-server")]
    postgres = [pid for pid, line in below.items() if line.split("\0")[0].endswith("/postgres")]
    if len(nats_server) != 1 or len(postgres) != 1:
        raise RuntimeError(f"not one nats-server and one PostgreSQL: {below}")
    return nats_server[0], postgres[0]


class Broker:
    """The nats-server of this run."""

    def __init__(self) -> None:
        self.url = os.environ[NATS]
        self.pid, _ = servers_of_this_run()
        self.command = Path(f"/proc/{self.pid}/cmdline").read_text().rstrip("\0").split("\0")
        self.again: subprocess.Popen | None = None

    def setting(self, name: str) -> object:
        """A setting of its configuration file, as it runs."""
        file = Path(self.command[self.command.index("--config") + 1])
        return json.loads(file.read_text())["jetstream"][name]

    def kill(self) -> None:
        """SIGKILL; returns when it takes no more connections."""
        os.kill(self.pid, signal.SIGKILL)
        if self.again:
            self.again.wait()
        while self._answers():
            time.sleep(0.005)

    def start(self) -> float:
        """Starts it again with the same configuration; returns how long it took to answer, in seconds."""
        begin = time.monotonic()
        self.again = spawn(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.again.pid
        while not self._answers():
            if self.again.poll() is not None or time.monotonic() - begin > 60:
                raise RuntimeError("nats-server does not start again")
            time.sleep(0.005)
        return time.monotonic() - begin

    def stop(self) -> None:
        """Ends a server that this run has started; the first one is its starter's."""
        if self.again:
            self.again.terminate()
            self.again.wait()
            self.again = None

    def _answers(self) -> bool:
        host, port = self.url.rsplit("@", 1)[1].split(":")
        try:
            with socket.create_connection((host, int(port)), timeout=1) as connection:
                connection.settimeout(1)
                return connection.recv(5) == b"INFO "
        except OSError:
            return False

    def stored(self, prefix: str) -> dict[str, int]:
        """Messages in each stream of a prefix."""

        async def ask() -> dict[str, int]:
            client = await nats.connect(self.url, connect_timeout=10)
            try:
                streams = client.jetstream(timeout=10)
                found, offset = {}, 0
                # The broker answers with at most 256 at once.
                while page := await streams.streams_info(offset=offset):
                    offset += len(page)
                    for info in page:
                        if info.config.name.startswith(f"{prefix}_"):
                            found[info.config.name.removeprefix(f"{prefix}_")] = info.state.messages
                return found
            finally:
                await client.close()

        return asyncio.run(ask())


def create_database() -> str:
    """A new database on the server of this run; returns its address."""
    server = os.environ[DATABASE]
    name = f"bench_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.rsplit("/", 1)[0] + f"/{name}"
