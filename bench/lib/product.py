"""CaffeineCode as an installation runs it: five services and the housekeeper, each a process, over a broker and a
database."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import string
import subprocess
import time
import uuid
from pathlib import Path

import psycopg

from children import spawn
from servers import NATS, create_database

WORKERS = ("cloner", "chunker", "embedder", "doc-writer")
SERVICES = ("gateway", *WORKERS, "housekeeper")
ENDED = ("completed", "completed_with_errors", "failed", "cancelled")

# Rows that a run leads to, counted: what is done twice shows as more of them.
EFFECTS = {
    "transitions": "SELECT count(*) FROM run_events WHERE run_id = %(run)s",
    "snapshots": "SELECT count(*) FROM snapshots WHERE repository_id = %(repository)s",
    "files": "SELECT count(*) FROM snapshot_files WHERE repository_id = %(repository)s",
    "file versions": "SELECT count(*) FROM file_versions WHERE repository_id = %(repository)s",
    "symbols": "SELECT count(*) FROM symbols JOIN file_versions USING (file_version_id, analyser)"
    " WHERE repository_id = %(repository)s",
    "references": "SELECT count(*) FROM refs JOIN file_versions USING (file_version_id, analyser)"
    " WHERE repository_id = %(repository)s",
    "batches": "SELECT count(*) FROM file_batches WHERE run_id = %(run)s",
    "edges": "SELECT count(*) FROM edges WHERE run_id = %(run)s",
    "modules": "SELECT count(*) FROM modules WHERE run_id = %(run)s",
    "chunks": "SELECT count(*) FROM chunks WHERE repository_id = %(repository)s",
    "embedded batches": "SELECT count(*) FROM chunk_batches WHERE run_id = %(run)s",
    "documents": "SELECT count(*) FROM documents WHERE repository_id = %(repository)s",
    "pages": "SELECT count(*) FROM pages JOIN documents USING (document_id) WHERE run_id = %(run)s",
    "revisions": "SELECT count(*) FROM revisions JOIN documents USING (document_id) WHERE run_id = %(run)s",
    "citations": "SELECT count(*) FROM citations JOIN documents USING (document_id) WHERE run_id = %(run)s",
}


class Product:
    """A running system of its own on the servers of this run."""

    def __init__(self, programs: Path, folder: Path, allow_host: str, timings: str, connections: int = 8):
        self.programs = programs
        self.prefix = f"b{uuid.uuid4().hex[:10]}"
        self.folder = folder / self.prefix
        self.folder.mkdir(parents=True)
        self.database_url = create_database()
        self.port = free_port()
        self.token = "cc_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(43))
        token_file = self.folder / "admin-token"
        token_file.write_text(self.token)
        self.processes: dict[str, subprocess.Popen] = {}
        self.variables = {
            "PATH": os.environ["PATH"],
            "CAFFEINE_NATS_URL": os.environ[NATS],
            "CAFFEINE_NATS_PREFIX": self.prefix,
            "CAFFEINE_NATS_TIMINGS": timings,
            "CAFFEINE_DATABASE_URL": self.database_url,
            "CAFFEINE_DATABASE_CONNECTIONS": str(connections),
            "CAFFEINE_HEALTH_LISTEN": "127.0.0.1:0",
        }
        self.own = {
            "gateway": {
                "CAFFEINE_GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
                "CAFFEINE_GATEWAY_ADMIN_TOKEN_FILE": str(token_file),
                # One user adds hundreds of repositories at once.
                "CAFFEINE_GATEWAY_RATE_READ": "0",
                "CAFFEINE_GATEWAY_RATE_SEARCH": "0",
                "CAFFEINE_GATEWAY_RATE_WRITE": "0",
            },
            "cloner": {
                "CAFFEINE_CLONER_DATA_DIR": str(self.folder / "cloner"),
                "CAFFEINE_CLONER_ALLOW_HOSTS": allow_host,
            },
        }
        for arguments in (["migrate"], ["provision", "--profile", "embedded"]):
            command = [programs / "caffeine", *arguments]
            done = subprocess.run(command, env=self.variables, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"caffeine {arguments[0]}: {done.stderr}")
        self.rows = psycopg.connect(self.database_url, autocommit=True)

    def start(self, *services: str) -> None:
        """Starts services: all, if none is named. Returns when the gateway answers."""
        for name in services or SERVICES:
            with open(self.folder / f"{name}.log", "ab") as log:
                self.processes[name] = spawn(
                    # As every installation does.
                    [self.programs / "caffeine", "serve", name],
                    env=self.variables | self.own.get(name, {}),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
        begin = time.monotonic()
        while "gateway" in self.processes and not self._is_up():
            self.check()
            if time.monotonic() - begin > 60:
                raise RuntimeError(f"the gateway does not answer; see {self.folder}")
            time.sleep(0.02)

    def check(self) -> None:
        """Fails if a service has ended by itself."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}; see {self.folder / name}.log")

    def kill(self, *services: str) -> None:
        """SIGKILL to all of them before any is waited for."""
        killed = [self.processes.pop(name) for name in services]
        for process in killed:
            process.send_signal(signal.SIGKILL)
        for process in killed:
            process.wait()

    def stop(self) -> None:
        """Ends every service in good order."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def close(self) -> None:
        self.stop()
        self.rows.close()

    # ---- the API ----

    def request(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "null")
        finally:
            connection.close()

    def submit(self, url: str) -> str:
        """Adds a repository for the usual run, with one structural document; returns the run's id."""
        status, answer = self.request("POST", "/repositories", {"url": url})
        if status not in (200, 201):
            raise RuntimeError(f"{url} is refused with {status}: {answer}")
        return answer["run"]["id"]

    def _is_up(self) -> bool:
        try:
            return self.request("GET", "/health")[0] == 200
        except (OSError, ValueError):
            return False

    # ---- its rows ----

    def states(self, runs: list[str]) -> dict[str, str]:
        found = self.rows.execute("SELECT run_id::text, state FROM runs WHERE run_id = ANY(%s::uuid[])", [runs])
        return dict(found.fetchall())

    def ended(self, runs: list[str]) -> list[str]:
        return [run for run, state in self.states(runs).items() if state in ENDED]

    def wait(self, runs: list[str], patience: float, pause: float = 0.05) -> list[str]:
        """Waits until all runs have ended or the patience is over; returns those that have not ended."""
        begin = time.monotonic()
        while True:
            missing = sorted(set(runs) - set(self.ended(runs)))
            if not missing or time.monotonic() - begin > patience:
                return missing
            self.check()
            time.sleep(pause)

    def effects(self, run: str) -> dict[str, int]:
        """How many rows of each kind a run and its repository have."""
        repository = self.rows.execute("SELECT repository_id FROM runs WHERE run_id = %s", [run]).fetchone()[0]
        names = {"run": run, "repository": repository}
        return {what: self.rows.execute(query, names).fetchone()[0] for what, query in EFFECTS.items()}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
