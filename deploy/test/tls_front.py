"""TLS in front of a PostgreSQL that was built without it, as a provider's proxy stands there. Nobody comes in without."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from pathlib import Path

# What a client says first if it wants TLS: its length, and the number that the protocol gave to the request.
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


class TlsFront(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, behind: tuple[str, int], certificate: Path, key: Path) -> None:
        super().__init__(("0.0.0.0", 0), Connection)  # noqa: S104 - containers come from their own networks.
        self.behind = behind
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate, key)
        self.taken = 0
        self.refused = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]


class Connection(socketserver.BaseRequestHandler):
    server: TlsFront

    def handle(self) -> None:
        if self.request.recv(8, socket.MSG_WAITALL) != SSL_REQUEST:
            self.server.refused += 1
            return
        self.request.sendall(b"S")
        with contextlib.suppress(OSError):
            client = self.server.context.wrap_socket(self.request, server_side=True)
            self.server.taken += 1
            with socket.create_connection(self.server.behind) as server:
                there = threading.Thread(target=pump, args=(client, server), daemon=True)
                there.start()
                pump(server, client)
                there.join(5)


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Until one side ends; then the other one is told."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
