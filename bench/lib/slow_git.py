"""A git server whose every answer to a fetch takes a fixed time, and which knows what was asked when.

It stands in front of `caffeine-git-http`. Any number of addresses lead to the one repository that is served, so each
task of a bench clones an address of its own: `/<anything>/<repository>.git`.
"""

from __future__ import annotations

import http.client
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from children import spawn

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host", "expect"}


@dataclass
class Fetches:
    """What was fetched from one address."""

    begun: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    def runs(self) -> bool:
        return len(self.begun) > len(self.answered)


class SlowGit:
    """Serves the repositories below `root`; a fetch is answered after `seconds`."""

    def __init__(self, git_http: Path, root: Path, seconds: float):
        self.seconds = seconds
        self.fetches: dict[str, Fetches] = {}
        self.lock = threading.Lock()
        self.behind = spawn([git_http, root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.upstream = self.behind.stdout.readline().strip().removeprefix("http://")
        if not self.upstream:
            raise RuntimeError("the git server does not start")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.behind.terminate()
        self.behind.wait()

    def of(self, address: str) -> Fetches:
        with self.lock:
            return self.fetches.setdefault(address, Fetches())

    def running(self, addresses: list[str]) -> list[str]:
        """The addresses whose fetch was begun and is not answered."""
        return [address for address in addresses if self.of(address).runs()]


def handler(slow: SlowGit) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer is written in two parts: head and body.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._pass_on(b"")

        def do_POST(self) -> None:
            self._pass_on(self._body())

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _pass_on(self, body: bytes) -> None:
            before, name, rest = self.path.rpartition(".git/")
            address = f"{before}.git".lstrip("/")
            repository = before.rsplit("/", 1)[-1]
            is_fetch = self.command == "POST" and b"command=ls-refs" not in body
            if is_fetch:
                fetches = slow.of(address)
                fetches.begun.append(time.monotonic())
                time.sleep(slow.seconds)
            upstream = http.client.HTTPConnection(slow.upstream, timeout=30)
            try:
                headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP_BY_HOP}
                upstream.request(self.command, f"/{repository}{name}{rest}", body or None, headers)
                answer = upstream.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in HOP_BY_HOP | {"server", "date"}:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                # Whoever asked was killed.
                self.close_connection = True
            finally:
                upstream.close()
                if is_fetch:
                    fetches.answered.append(time.monotonic())

        def log_message(self, *_: object) -> None:
            pass

    return Handler
