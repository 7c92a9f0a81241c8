"""What comes in by nginx besides the API: the interface for browsers, and what git hosts deliver."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import uuid

from client import Client
from compose_stack import Stack
from podman import ROOT, inspect, podman, push, say, until

DIST = ROOT / "web/dist"
# What the gateway says of every page and file. nginx says the same of the files that it serves itself.
SAID = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "strict-transport-security",
)
# Of nginx's memory for what is being uploaded, as in services.yaml.
SET_ASIDE_MIB = 24
FOR_A_YEAR = "public, max-age=31536000, immutable"


def check_interface(stack: Stack, client: Client) -> None:
    status, headers, page = client.send("GET", "/", headers={"Accept": "text/html"})
    # The shortest form that fits: what `make web` built, and not the page that says that nothing was built.
    assert status == 200 and page == (DIST / "index.html").read_bytes(), (status, page[:300])
    once(headers, (*SAID, "cache-control"))
    assert dict(headers)["cache-control"] == "no-cache", headers
    direct = from_gateway(stack, "/", "text/html")
    assert {name: dict(headers).get(name) for name in SAID} == {name: direct.get(name) for name in SAID}, direct
    assert "script-src 'self'" in direct["content-security-policy"] and "unsafe" not in str(direct)

    named = set(re.findall(r'"(/assets/[^"]+)"', page.decode()))
    kinds = {
        file.suffix: f"/assets/{file.name}" for file in (DIST / "assets").iterdir() if file.suffix not in (".br", ".gz")
    }
    assert len(named) >= 2 and {".js", ".css", ".woff2"} <= kinds.keys(), (named, kinds)
    asked = sorted(named | set(kinds.values()))
    for path in asked:
        status, headers, content = client.send("GET", path)
        assert status == 200 and content == (DIST / path[1:]).read_bytes(), (path, status)
        once(headers, (*SAID, "cache-control", "content-type"))
        found = dict(headers)
        assert found["cache-control"] == FOR_A_YEAR, (path, found)
        direct = from_gateway(stack, path, "*/*")
        same = {name: found.get(name) for name in (*SAID, "cache-control")}
        assert same == {name: direct.get(name) for name in same}, (path, found, direct)
    status, headers, content = client.send("GET", next(iter(named)), headers={"Accept-Encoding": "gzip"})
    assert dict(headers).get("content-encoding") == "gzip" and "accept-encoding" in dict(headers)["vary"].lower()
    # From nginx's own files and not by way of a gateway: the log names no upstream for them, since it has no line at all.
    assert "/assets/" not in podman("logs", stack.container("nginx"))
    status, headers, _ = client.send("GET", "/assets/gone-00000000.js")
    assert status == 404 and "max-age" not in dict(headers)["cache-control"], (status, headers)
    say(
        f"interface: the page is asked for anew, {len(asked)} files are kept for a year, with the gateway's {len(SAID)} headers on each"
    )


def once(headers: list[tuple[str, str]], names: tuple[str, ...]) -> None:
    for name in names:
        values = [value for found, value in headers if found == name]
        assert len(values) == 1, (name, values)


def from_gateway(stack: Stack, path: str, accept: str) -> dict[str, str]:
    """The headers of a gateway's own answer, asked where nginx asks it."""
    script = "\n".join(
        [
            "exec 3<>/dev/tcp/gateway/8080",
            f"printf 'GET {path} HTTP/1.0\\r\\nHost: {stack.variables['DOMAIN']}\\r\\nAccept: {accept}\\r\\n\\r\\n' >&3",
            'while IFS= read -r line <&3 && [ "$line" != $\'\\r\' ]; do echo "$line"; done',
        ]
    )
    status, *lines = podman("exec", stack.container("nginx"), "bash", "-c", script).splitlines()
    assert " 200 " in status, status
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def check_webhook(stack: Stack, client: Client, repository: str) -> None:
    """A push, delivered as GitHub does it."""
    hook = client.call("POST", f"/api/v1/repositories/{repository}/webhooks", {"provider": "github"})
    before = len(runs(client, repository))
    commit = push(
        stack.work / "git/work", stack.repositories / "sample.git", "NEWS.md", "# News\n\nSomething is new.\n"
    )
    payload = {
        "ref": "refs/heads/main",
        "after": commit,
        "repository": {"full_name": "team/sample", "default_branch": "main"},
        "pusher": {"name": "t"},
    }
    body = json.dumps(payload).encode()
    assert deliver(client, hook, body, "push", secret="0" * 64)[0] == 401
    assert len(runs(client, repository)) == before, "what nobody signed started a run"
    identifier = str(uuid.uuid4())
    status, answer = deliver(client, hook, body, "push", identifier)
    assert (status, answer) == (202, {"status": "run_requested"}), (status, answer)
    newest = until("the push's run", 20, lambda: runs(client, repository)[: -before or None])[0]
    client.follow(newest["id"])
    ended = client.call("GET", f"/api/v1/runs/{newest['id']}")
    assert ended["state"] == "completed" and ended["commit"] == commit, ended
    # Again by its identifier, again by its body; neither starts anything.
    for again in (identifier, str(uuid.uuid4())):
        assert deliver(client, hook, body, "push", again) == (202, {"status": "known"})
    assert len(runs(client, repository)) == before + 1
    # As large as the gateway takes, and larger.
    large = json.dumps({"zen": "x" * 4_000_000}).encode()
    assert deliver(client, hook, large, "ping") == (202, {"status": "nothing_to_do"})
    assert deliver(client, hook, large * 2, "ping")[0] == 413
    say(f"webhook through nginx: a signed push led to a run of {commit[:8]}, unsigned 401, again nothing, 4 MB taken")


def check_uploads(stack: Stack, client: Client) -> None:
    """Strangers who send much and never end: they get no memory that others need."""
    started = inspect(stack.container("nginx"))["State"]["StartedAt"]
    held = []
    try:
        for _ in range(24):
            connection = client.connection(timeout=5)
            connection.putrequest("POST", "/hooks/00000000-0000-0000-0000-000000000000", skip_host=True)
            connection.putheader("Host", client.name)
            connection.putheader("Content-Length", "4900000")
            connection.endheaders()
            held.append(connection)
            with contextlib.suppress(OSError):
                connection.send(b"x" * 4_800_000)
        assert client.send("GET", "/api/v1/health")[0] == 200
        # What is held is memory, since the folder for it is no disk. It is refused before it is more than was set aside.
        until("nginx has had enough", 60, lambda: held_mib(stack) > SET_ASIDE_MIB or refused_here(stack))
        most = held_mib(stack)
        assert most <= SET_ASIDE_MIB, f"nginx holds {most} MiB of unfinished uploads"
        assert client.send("GET", "/api/v1/health")[0] == 200
    finally:
        for connection in held:
            connection.close()
    assert until(
        "what was uploaded is gone", 30, lambda: client.send("POST", "/hooks/x", b"y" * 100_000)[0] in (401, 404)
    )
    assert inspect(stack.container("nginx"))["State"]["StartedAt"] == started, "nginx was ended"
    children = podman("logs", stack.container("nginx"))
    assert "exited on signal 9" not in children, "a worker of nginx was ended for its memory"
    say(f"uploads: of 24 unfinished ones of 5 MB nginx held {most} MiB and refused the rest; everybody else was served")


def held_mib(stack: Stack) -> int:
    used = podman("exec", stack.container("nginx"), "df", "--output=used", "--block-size=1M", "/tmp")
    return int(used.split()[-1])


def refused_here(stack: Stack) -> bool:
    return '"status":500' in podman("logs", stack.container("nginx"))


def runs(client: Client, repository: str) -> list[dict]:
    """The newest first."""
    return client.call("GET", f"/api/v1/repositories/{repository}/runs")["items"]


def deliver(
    client: Client, hook: dict, body: bytes, event: str, identifier: str = "", secret: str = ""
) -> tuple[int, dict]:
    signature = hmac.new((secret or hook["secret"]).encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "User-Agent": "GitHub-Hookshot/044aadd",
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": identifier or str(uuid.uuid4()),
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    try:
        status, _, answer = client.send("POST", hook["url_path"], body, headers)
    except (BrokenPipeError, ConnectionResetError):
        # nginx answers what is too large before it has read it all.
        return 413, {}
    return status, json.loads(answer) if answer.startswith(b"{") else {}
