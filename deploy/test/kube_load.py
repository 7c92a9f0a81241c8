"""Who uses an installation while its pods are replaced, through the frontend: somebody follows every run, somebody reads,
somebody adds repositories. A break of a stream is allowed, since a client goes on where it was; a call that fails is not."""

from __future__ import annotations

import http.client
import json
import threading
import time

from client import Client

# How often something is read, and how often a repository is added.
READ_SECONDS, ADD_SECONDS = 0.05, 1


class Follower(threading.Thread):
    """Follows a run as a browser does: after a break it says what it saw last."""

    def __init__(self, client: Client, run: str) -> None:
        super().__init__(daemon=True)
        self.client, self.followed = client, run
        # The ids in their order, how often it was connected, and what was refused.
        self.seen: list[int] = []
        self.connections = 0
        self.refused: list[int] = []

    def run(self) -> None:
        end = time.monotonic() + 300
        while time.monotonic() < end and not self.read():
            time.sleep(0.2)

    def read(self) -> bool:
        """Reads one connection to its end: whether that was the run's."""
        headers = {"Authorization": f"Bearer {self.client.token}", "Accept": "text/event-stream"}
        if self.seen:
            headers["Last-Event-ID"] = str(self.seen[-1])
        connection = self.client.connection(timeout=60)
        try:
            connection.request("GET", f"/api/v1/runs/{self.followed}/events", None, headers)
            answer = connection.getresponse()
            self.connections += 1
            if answer.status != 200:
                self.refused.append(answer.status)
                return False
            while line := answer.readline():
                field, _, value = line.decode().strip().partition(":")
                if field == "id":
                    self.seen.append(int(value))
                if field == "event" and value.strip() == "end":
                    return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        return False


class Load:
    """`with` it, the readers read; on leaving they stop, the followers stay until their runs have ended."""

    def __init__(self, client: Client, runs: list[str], addresses: list[str]) -> None:
        self.client, self.runs, self.addresses = client, runs, addresses
        self.followers = [Follower(client, run) for run in runs]
        # What was added, what was read, and every call that failed.
        self.added: list[dict] = []
        self.read = 0
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=part, daemon=True) for part in (self._reading, self._adding)]

    def __enter__(self) -> Load:
        for thread in (*self.followers, *self._threads):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _reading(self) -> None:
        while not self._stop.wait(READ_SECONDS):
            self.read += self._asked("GET", f"/api/v1/runs/{self.runs[self.read % len(self.runs)]}") is not None

    def _adding(self) -> None:
        for address in self.addresses:
            if self._stop.wait(ADD_SECONDS):
                return
            if found := self._asked("POST", "/api/v1/repositories", {"url": address}):
                self.added.append(found)

    def _asked(self, method: str, path: str, body: object = None) -> dict | None:
        try:
            status, _, text = self.client.raw(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(f"{method} {path}: {error!r}")
            return None
        if status >= 300:
            self.failed.append(f"{method} {path}: {status} {text[:200]!r}")
            return None
        return json.loads(text)
