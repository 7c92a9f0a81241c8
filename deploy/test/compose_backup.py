"""A backup as docs/deployment.md makes it, and an installation that is brought back from it."""

from __future__ import annotations

import subprocess
import time

from client import Client
from compose_stack import Stack
from podman import podman, say, until

SERVICES = ("gateway", "cloner", "chunker", "embedder", "doc-writer", "housekeeper")


def check_backup(stack: Stack, client: Client, repository: str) -> None:
    begin = time.monotonic()
    before = pages(client, repository)
    postgres = stack.container("postgres")
    as_owner = ("-h", "/tmp", "-U", "caffeine")
    command = ["podman", "exec", postgres, "pg_dump", "-Fc", *as_owner, "caffeine"]
    dump = subprocess.run(command, check=True, capture_output=True).stdout
    # Every gateway.
    ours = [name for name in stack.containers() if name.removeprefix(f"{stack.project}_").rsplit("_", 1)[0] in SERVICES]
    podman("stop", "--time", "20", *ours)
    empty = ("DROP DATABASE caffeine WITH (FORCE)", "CREATE DATABASE caffeine")
    for statement in empty:
        podman("exec", postgres, "psql", *as_owner, "-d", "postgres", "-c", statement)
    back = ["pg_restore", "--no-owner", "--no-privileges", *as_owner, "-d", "caffeine"]
    subprocess.run(["podman", "exec", "-i", postgres, *back], check=True, input=dump, capture_output=True)
    # As `docker compose up -d` does it: the roles' rights first.
    podman("start", "--attach", stack.container("migrate"))
    podman("start", *ours)
    until("the gateways answer", 60, lambda: client.send("GET", "/api/v1/health")[0] == 200)
    after = until("what was documented", 30, lambda: quietly(lambda: pages(client, repository)))
    assert before == after and before, (len(before), len(after))
    say(
        f"backup: {len(dump) // 1000} kB, brought back into an empty database; {len(after)} pages as before; {time.monotonic() - begin:.0f} s"
    )


def pages(client: Client, repository: str) -> dict[str, bytes]:
    """The text of every page of every document."""
    found = {}
    for document in client.call("GET", f"/api/v1/repositories/{repository}/documents")["items"]:
        for page in client.call("GET", f"/api/v1/documents/{document['id']}")["pages"]:
            path = f"/api/v1/documents/{document['id']}/pages/{page['slug']}"
            status, _, found[path] = client.raw("GET", path)
            assert status == 200, (path, status)
    return found


def quietly(question):  # noqa: ANN001, ANN201
    try:
        return question()
    except (OSError, AssertionError):
        return None
