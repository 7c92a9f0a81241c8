"""A client of the API, over TLS with the installation's own certificate or plain."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.parse
from pathlib import Path


class Client:
    def __init__(self, host: str, port: int, token: str, name: str = "", certificate: Path | None = None) -> None:
        self.address, self.token, self.name, self.certificate = (host, port), token, name or host, certificate

    def connection(self, timeout: float = 60) -> http.client.HTTPConnection:
        if self.certificate is None:
            return http.client.HTTPConnection(*self.address, timeout=timeout)
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection(*self.address, timeout=timeout, context=context)
        # The name in the certificate is asked for, whatever address it has here.
        plain = http.client.HTTPConnection(*self.address, timeout=timeout)
        plain.connect()
        connection.sock = context.wrap_socket(plain.sock, server_hostname=self.name)
        return connection

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Without a token and just as it is: the answer's headers in their order, repeated ones too."""
        connection = self.connection()
        connection.request(method, path, body, {"Host": self.name, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, [(name.lower(), value) for name, value in answer.getheaders()], answer.read()

    def raw(self, method: str, path: str, body: object = None, token: bool = True) -> tuple[int, dict, bytes]:
        connection = self.connection()
        headers = {"Host": self.name, "Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def call(self, method: str, path: str, body: object = None) -> dict:
        status, _, text = self.raw(method, path, body)
        assert status < 300, f"{method} {path}: {status} {text.decode()}"
        return json.loads(text)

    def add(self, url: str, seconds: float = 30) -> dict:
        """Adds a repository. Right after a start a server's name may not be known yet: 503 says to try again, as anybody would."""
        end = time.monotonic() + seconds
        while True:
            status, _, text = self.raw("POST", "/api/v1/repositories", {"url": url})
            if status < 300:
                return json.loads(text)
            assert status == 503 and time.monotonic() < end, f"{url}: {status} {text.decode()}"
            time.sleep(1)

    def value(self, query: str) -> float:
        """The answer of Prometheus to a question with one number, 0 if there is none."""
        found = self.call("GET", f"/api/v1/query?query={urllib.parse.quote(query)}")["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def follow(self, run: str, seconds: float = 240) -> list[tuple[float, str]]:
        """Reads the run's event stream until it has ended: when each event came, and its name."""
        events: list[tuple[float, str]] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection = self.connection(timeout=seconds)
            headers = {"Host": self.name, "Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
            connection.request("GET", f"/api/v1/runs/{run}/events", None, headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            while line := answer.readline():
                if line.startswith(b"event:"):
                    events.append((time.monotonic(), line.decode().split(":", 1)[1].strip()))
                if line.startswith(b"data:") and b'"ended' in line:
                    break
            if self.call("GET", f"/api/v1/runs/{run}").get("ended_at"):
                return events
        raise AssertionError(f"run {run} has not ended within {seconds:.0f} s")

    def document(self, url: str) -> dict:
        """Adds a repository, waits for its run, and checks that there are pages to read. Answers with what it found."""
        added = self.add(url)
        repository, run = added["repository"]["id"], added["run"]["id"]
        events = self.follow(run)
        ended = self.call("GET", f"/api/v1/runs/{run}")
        assert ended["state"] == "completed", ended
        documents = self.call("GET", f"/api/v1/repositories/{repository}/documents")["items"]
        assert documents, "no document"
        document = self.call("GET", f"/api/v1/documents/{documents[0]['id']}")
        assert document["pages"], "no page"
        slug = document["pages"][0]["slug"]
        status, _, page = self.raw("GET", f"/api/v1/documents/{document['id']}/pages/{slug}")
        assert status == 200 and len(page) > 200, (status, page)
        return {"run": ended, "events": events, "pages": len(document["pages"]), "repository": repository}
