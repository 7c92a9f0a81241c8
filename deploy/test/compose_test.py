"""make compose-test: the one-server installation from nothing, with podman, and what it promises.

The compose files are the shipped ones, merged by podman-compose. Two things are done here that a container engine does
elsewhere: health checks are run (podman leaves that to systemd), and the conditions of `depends_on` are waited for
(podman 4 cannot). Public images are stood in for by those of deploy/test/images; Grafana is left out, none can be had.
"""

from __future__ import annotations

import json
import re
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from client import Client
from compose_backup import check_backup
from compose_managed import check_managed
from compose_stack import ADMINER, DOMAIN, HTTP, HTTPS, MODEL, PROJECT, PROMETHEUS, FakeModel, Outside, Stack
from compose_web import check_interface, check_uploads, check_webhook
from podman import ROOT, HealthTimers, inspect, podman, say, until, wide_repository

sys.path.insert(0, str(ROOT / "deploy/observability"))
import metrics  # noqa: E402

BASE = "debian:bookworm-slim"
GOAL_MIB = 2048


def check_tls(stack: Stack, client: Client) -> None:
    status, headers, _ = client.raw("GET", "/api/v1/health", token=False)
    assert status == 200 and "strict-transport-security" in headers, (status, headers)
    status, headers, _ = Client("127.0.0.1", HTTP, "", DOMAIN).raw("GET", "/x", token=False)
    assert status == 308 and headers["location"] == f"https://{DOMAIN}:{HTTPS}/x", (status, headers)
    assert client.raw("GET", "/api/v1/repositories", token=False)[0] == 401
    connection = client.connection()
    assert connection.sock.version() in ("TLSv1.2", "TLSv1.3")
    stranger = ssl.create_default_context()
    try:
        stranger.wrap_socket(Client("127.0.0.1", HTTPS, "").connection().sock or _plain(), server_hostname=DOMAIN)
        raise AssertionError("a certificate that nobody vouches for was taken")
    except ssl.SSLCertVerificationError:
        say(f"TLS: {connection.sock.version()}, plain HTTP is sent on, a call without a token answers 401")


def _plain():  # noqa: ANN202
    import socket

    return socket.create_connection(("127.0.0.1", HTTPS))


def check_sign_in(client: Client) -> None:
    """With the administrator's token, as the page does it: a cookie that only this host gets, and only over TLS."""
    connection = client.connection()
    origin = {
        "Host": f"{DOMAIN}:{HTTPS}",
        "Content-Type": "application/json",
        "Origin": f"https://{DOMAIN}:{HTTPS}",
        "Sec-Fetch-Site": "same-origin",
    }
    connection.request("POST", "/api/v1/session", json.dumps({"token": client.token}), origin)
    answer = connection.getresponse()
    cookie = answer.getheader("set-cookie") or ""
    assert answer.status == 204 and cookie.startswith("__Host-cc=") and "Secure" in cookie, (
        answer.status,
        answer.read(),
        cookie,
    )
    answer.read()
    connection.request("GET", "/api/v1/me", None, {"Host": f"{DOMAIN}:{HTTPS}", "Cookie": cookie.split(";")[0]})
    answer = connection.getresponse()
    who = json.loads(answer.read())
    assert answer.status == 200 and who["role"] == "admin", who
    guesses = [client.raw("POST", "/api/v1/session", {"token": "cc_" + "x" * 43}, token=False)[0] for _ in range(12)]
    assert guesses[0] != 204 and guesses.count(429) >= 4, guesses
    say(
        f"sign-in through nginx: {who['role']} by {who['signed_in_by']}; of 12 guesses {guesses.count(429)} were put off"
    )


def check_document(client: Client) -> str:
    begin = time.monotonic()
    found = client.document("http://git:8000/sample.git")
    events = found["events"]
    spread = events[-1][0] - events[0][0]
    # One by one while the run works, not all at its end.
    assert len(events) > 4 and spread > 0.25 * found["run"]["seconds"], (len(events), spread, found["run"]["seconds"])
    say(
        f"documented through nginx: {found['pages']} pages in {time.monotonic() - begin:.1f} s, {len(events)} events over {spread:.1f} s"
    )
    return found["repository"]


def check_metrics(stack: Stack, client: Client, repository: str) -> None:
    """Everything that alerts and dashboards name is scraped, once everything has happened that is counted."""
    prometheus = Client("127.0.0.1", PROMETHEUS, "")
    # Messages that are given up: a typing error, which alerts nobody, and a host that cannot be found.
    mistyped = client.add("http://git:8000/absent.git")["run"]["id"]
    absent = client.add("http://absent.invalid/absent.git")["run"]["id"]
    # A full window: nobody reads what the cloner sends.
    podman("stop", stack.container("chunker"))
    wide = client.add("http://git:8000/wide.git")["run"]["id"]
    # A model: somebody else's implementation of its API.
    with FakeModel(stack.work):
        template = client.call("GET", "/api/v1/prompts")["items"][0]["id"]
        asked = {"documents": [{"writer": "template", "template_id": template, "query": "identifier"}]}
        model = client.call("POST", f"/api/v1/repositories/{repository}/runs", asked)
        full = "max(caffeine_stream_messages{stream='FILES'})"
        until("the window is full", 90, lambda: prometheus.value(full) >= 64)
        podman("start", stack.container("chunker"))
        client.follow(model["run"]["id"] if "run" in model else model["id"])
    until("the cloner goes on", 90, lambda: prometheus.value("sum(caffeine_publish_blocked_seconds_total)") > 0)
    for run_id in (mistyped, absent, wide):
        client.follow(run_id)

    def names() -> set[str]:
        return set(prometheus.call("GET", "/api/v1/label/__name__/values")["data"])

    try:
        until("every metric was scraped", 60, lambda: not metrics.missing(names()))
    except AssertionError:
        raise AssertionError(f"never scraped: {metrics.missing(names())}") from None
    firing = prometheus.call("GET", "/api/v1/rules?type=alert")["data"]["groups"]
    assert sum(len(group["rules"]) for group in firing) > 20 and all(
        rule["health"] == "ok" for group in firing for rule in group["rules"]
    )
    alerts = "sum(ALERTS{alertname='CaffeineDeadLetters'})"
    until("a dead letter raises its alert", 60, lambda: prometheus.value(alerts) == 1)
    say(
        f"metrics: all {len(metrics.wanted())} that alerts and dashboards name were scraped, and a dead letter raised its alert"
    )


def check_balance(stack: Stack, client: Client) -> None:
    for _ in range(12):
        client.raw("GET", "/api/v1/health", token=False)
    log = podman("logs", stack.container("nginx"))
    upstreams = set(re.findall(r'"upstream":"([0-9.]+:8080)"', log))
    assert len(upstreams) == 2, f"gateways that were asked: {upstreams}"
    say(f"load balancing: both gateways were asked ({', '.join(sorted(upstreams))})")


def check_limit(client: Client) -> None:
    time.sleep(3)  # The bucket is full again.
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: client.raw("GET", "/api/v1/health", token=False), range(300)))
    limited = [answer for answer in answers if answer[0] == 429]
    passed = sum(answer[0] == 200 for answer in answers)
    assert limited and passed >= 60 and len(limited) + passed == 300, (len(limited), passed)
    assert all(
        "application/problem+json" in headers["content-type"] and headers["retry-after"] for _, headers, _ in limited
    )
    time.sleep(2)
    assert client.raw("GET", "/api/v1/health", token=False)[0] == 200, "still refused two seconds later"
    say(f"limit: of 300 calls at once {passed} passed and {len(limited)} answered 429")


def check_networks(stack: Stack) -> None:
    """From another machine and from another container network: what answers, whichever address and port is tried?"""
    with Outside() as outside:
        ports = (3000, 4222, 5432, 6222, 8080, 8081, 8090, 8222, 8443, 9090, 9100, ADMINER, PROMETHEUS, HTTP, HTTPS)
        opened = set(outside.run(tries([(outside.host, port) for port in ports])).split())
        nginx = {f"{outside.host}:{HTTP}", f"{outside.host}:{HTTPS}"}
        # Another process of this machine may listen on all addresses; what we publish is what counts.
        ours = opened - {f"{outside.host}:{port}" for port in ports if port not in published(stack)}
        assert ours == nginx, f"answers another machine: {sorted(ours)}"
        say(
            f"from another machine: {len(ports)} ports of the host tried, only nginx answered ({', '.join(sorted(ours))})"
        )
    own = sorted(
        {
            net["IPAddress"]
            for name in stack.containers()
            for net in inspect(name)["NetworkSettings"]["Networks"].values()
        }
    )
    targets = [(address, port) for address in own for port in (4222, 5432, 8080, 8081, 8222, 8443, 9090, 9100)]
    podman("network", "create", "--opt", "isolate=true", f"{PROJECT}-outside")
    try:
        opened = set(
            podman("run", "--rm", "--network", f"{PROJECT}-outside", BASE, "bash", "-c", tries(targets)).split()
        )
    finally:
        podman("network", "rm", "--force", f"{PROJECT}-outside")
    assert not opened, f"answers another container network: {sorted(opened)}"
    say(f"from another container network: {len(targets)} addresses and ports of the containers tried, none answered")
    # nginx's own network sees the gateways and nothing behind them.
    behind = [
        ("gateway", 8080),
        ("postgres", 5432),
        ("nats", 4222),
        ("nats", 8222),
        ("adminer", 8080),
        ("prometheus", 9090),
        ("cloner", 9100),
    ]
    inside = podman("exec", stack.container("nginx"), "bash", "-c", tries(behind)).split()
    assert inside == ["gateway:8080"], inside
    say("from nginx: the gateways answer, database, broker, Adminer, Prometheus and workers do not")


def tries(targets: list[tuple[str, int]]) -> str:
    """A script that prints which of the targets take a connection, forty at a time."""
    lines = [
        f"(timeout 3 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null && echo {host}:{port}) &" for host, port in targets
    ]
    parts = ["\n".join([*lines[i : i + 40], "wait"]) for i in range(0, len(lines), 40)]
    return "\n".join(parts) + "\ntrue\n"


def published(stack: Stack) -> set[int]:
    ports = podman("ps", "--filter", f"label=io.podman.compose.project={PROJECT}", "--format", "{{.Ports}}")
    return {int(port) for port in re.findall(r":(\d+)->", ports)}


def check_admin() -> None:
    for name, port, path in (("Adminer", ADMINER, "/"), ("Prometheus", PROMETHEUS, "/-/ready")):
        status = until(
            f"{name} on loopback",
            20,
            lambda: quietly(lambda: Client("127.0.0.1", port, "").raw("GET", path, token=False)[0]),
        )
        assert status == 200, (name, status)
    query = '/api/v1/query?query=count%20by%20(service)%20(up{job="caffeine"}==1)'
    prometheus = Client("127.0.0.1", PROMETHEUS, "")

    def scraped() -> dict:
        return {
            row["metric"]["service"]: int(row["value"][1]) for row in prometheus.call("GET", query)["data"]["result"]
        }

    wanted = {"gateway": 2, "cloner": 1, "chunker": 1, "embedder": 1, "doc-writer": 1, "housekeeper": 1}
    until("every service is scraped", 60, lambda: scraped() == wanted)
    say("admin network: Adminer and Prometheus answer on loopback, Prometheus scrapes all services")


def quietly(question):  # noqa: ANN001, ANN201
    try:
        return question()
    except OSError:
        return None


def check_doctor(stack: Stack) -> None:
    files = [part for file in stack.variables["COMPOSE_FILE"].split(":") for part in ("-f", file)]
    said = stack.compose("--profile", "doctor", *files, "run", "--rm", "--no-deps", "-T", "doctor")
    found = [line for line in said.splitlines() if line.startswith("ok ")]
    assert "PROBLEM" not in said and len(found) > 20, said
    say(f"doctor: {len(found)} things are in order, of every service")


def check_hardening(stack: Stack) -> None:
    for name in stack.containers():
        state = inspect(name)
        if not state["ImageName"].startswith("localhost/caffeine") or "git" in state["ImageName"]:
            continue
        user = podman("exec", name, "id", "-u").strip()
        assert state["HostConfig"]["ReadonlyRootfs"] and user == "65532", (name, user)
        assert not quietly_exec(name, "touch /x") and not state["EffectiveCaps"], (name, state["EffectiveCaps"])
        sbom = podman("exec", name, "bash", "-c", "cat /usr/share/sbom/*.json | head -c 400")
        assert '"CycloneDX"' in sbom, name
    say("our containers: user 65532, read-only root, no capabilities, a bill of materials")


def quietly_exec(name: str, command: str) -> str:
    return podman("exec", name, "bash", "-c", f"{command} 2>/dev/null && echo yes || true").strip()


def memory(stack: Stack) -> None:
    used = {}
    for line in podman("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}").splitlines():
        name, amount = line.split()[:2]
        if name.startswith(PROJECT) and name != stack.container("git"):
            number, unit = re.match(r"([0-9.]+)([kMG]?i?B)", amount).groups()  # type: ignore[union-attr]
            used[name.removeprefix(f"{PROJECT}_")] = (
                float(number) * {"kB": 1e3, "MB": 1e6, "GB": 1e9, "B": 1}[unit] / 2**20
            )
    total = sum(used.values())
    for name, mib in sorted(used.items(), key=lambda item: -item[1]):
        say(f"  {name:16} {mib:7.1f} MiB")
    say(f"idle memory of {len(used)} containers, without Grafana: {total:.0f} MiB; the goal is {GOAL_MIB} MiB")
    assert total < GOAL_MIB


def one_server() -> None:
    begin = time.monotonic()
    stack = Stack()
    wide_repository(stack.repositories / "wide.git")
    stack.set(
        # Without a price no cost is counted. The amount is nobody's.
        "CAFFEINE_DOC_WRITER_PRICES=claude-sonnet-5-5=1/1",
        f"CAFFEINE_DOC_WRITER_ANTHROPIC_BASE_URL=http://host.containers.internal:{MODEL}",
        "CAFFEINE_DOC_WRITER_EGRESS=approved",
    )
    stack.edit(("GATEWAYS=1", "GATEWAYS=2"))
    stack.merge()
    try:
        stack.up()
        stack.wait_until_healthy()
        say(f"up from nothing in {time.monotonic() - begin:.0f} s")
        client = stack.client()
        check_tls(stack, client)
        check_interface(stack, client)
        check_sign_in(client)
        repository = check_document(client)
        check_webhook(stack, client, repository)
        check_uploads(stack, client)
        check_balance(stack, client)
        check_limit(client)
        check_networks(stack)
        check_admin()
        check_doctor(stack)
        check_hardening(stack)
        memory(stack)
        check_metrics(stack, client, repository)
        check_backup(stack, client, repository)
    except BaseException:
        stack.logs()
        raise
    finally:
        stack.down()


def main() -> None:
    begin = time.monotonic()
    with HealthTimers():
        one_server()
        check_managed()
    say(f"compose-test: all held, in {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
