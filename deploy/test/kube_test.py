"""make chart-test, second half: the chart's Deployments run, with podman for a cluster.

The objects are those of `helm template` with ci/minimal-values.yaml. podman knows Deployments, Pods, ConfigMaps
but no Jobs: migrate and provision run as Pods with the Jobs' templates; files of Secrets are laid out here. Broker and database stand beside them. Then

1. a repository is documented through the frontend's pod, and a page of it read: nginx in its plain mode, before the gateway;
2. while three repositories are worked on, a second pod of every stage is started and the first one terminated. Nothing may
   be lost or doubled: every row must be as in the undisturbed repository of the same content.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from client import Client
from podman import ROOT, commit, podman, run, sample_repository, say, until

WORK = ROOT / ".run/kube-test"
NETWORK = "caffeine-kube"
PORT = 18093
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)  # type: ignore[union-attr]
IMAGE = f"localhost/caffeine:{VERSION}"
GATEWAY = "caffeine-gateway.default.svc.cluster.local"
STAGES = ("cloner", "chunker", "embedder", "doc-writer")
# What one repository's rows are, independent of its id. Order does not matter, number and content do.
ROWS = {
    "files": "SELECT path, oid, lines, parse_quality FROM file_versions WHERE repository_id = '{r}'",
    "symbols": "SELECT path, s.ordinal, qualified, start_line FROM symbols s JOIN file_versions USING (file_version_id, analyser) WHERE repository_id = '{r}'",
    "references": "SELECT path, s.ordinal, s.name, s.count FROM refs s JOIN file_versions USING (file_version_id, analyser) WHERE repository_id = '{r}'",
    "chunks": "SELECT c.path, c.ordinal, md5(c.embedding::text) FROM chunks c WHERE c.repository_id = '{r}'",
    "edges": "SELECT src_path, dst_path, kind, line, e.count FROM edges e JOIN runs USING (run_id) WHERE repository_id = '{r}'",
    "pages": "SELECT slug, pages.state, pages.kind FROM pages JOIN documents USING (document_id) WHERE repository_id = '{r}'",
    "revisions": "SELECT slug, revisions.number FROM revisions JOIN documents USING (document_id) WHERE repository_id = '{r}'",
    "citations": "SELECT slug, citations.number, citations.ordinal FROM citations JOIN documents USING (document_id) WHERE repository_id = '{r}'",
    "transitions": "SELECT regexp_replace(transition, '[0-9a-f-]{{36}}', '') FROM run_events JOIN runs USING (run_id) WHERE repository_id = '{r}'",
}
# How much a stage has done for some runs.
BEGUN = {
    "cloner": "SELECT count(*) FROM clone_runs WHERE run_id IN ({runs})",
    "chunker": "SELECT count(*) FROM file_batches WHERE run_id IN ({runs})",
    "embedder": "SELECT count(*) FROM chunk_batches WHERE run_id IN ({runs})",
    "doc-writer": "SELECT count(*) FROM pages JOIN documents USING (document_id) WHERE run_id IN ({runs})",
}


class Cluster:
    def __init__(self) -> None:
        self.clear()
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        self.ids = WORK / "identities"
        self.objects = self._render()
        self.pods: dict[str, str] = {}

    def _render(self) -> list[dict]:
        WORK.joinpath("values.yaml").write_text(
            yaml.safe_dump(
                {
                    "image": {"registry": "localhost"},
                    "nats": {"url": "nats://nats:4222", "profile": "embedded"},
                    "settings": {"CAFFEINE_CLONER_ALLOW_HOSTS": "git:8000"},
                    "frontend": {"enabled": True, "replicas": 1},
                    "gateway": {
                        "sessionKeys": {"secret": "caffeine-session-keys"},
                        "webhookKey": {"secret": "caffeine-webhook-key"},
                    },
                }
            )
        )
        text = run(
            str(ROOT / ".tools/bin/helm"),
            "template",
            "caffeine",
            str(ROOT / "deploy/helm/caffeinecode"),
            "--set",
            f"image.tag={VERSION}",
            "--values",
            str(ROOT / "deploy/helm/caffeinecode/ci/minimal-values.yaml"),
            "--values",
            str(WORK / "values.yaml"),
        )
        return [item for item in yaml.safe_load_all(text) if item]

    def find(self, kind: str, name: str) -> dict:
        return json.loads(
            json.dumps(next(item for item in self.objects if item["kind"] == kind and item["metadata"]["name"] == name))
        )

    def servers(self) -> None:
        """Identities as an operator makes them, then broker, database and git host."""
        podman("network", "create", NETWORK)
        script = "cd /work && echo postgres://caffeine:owner@postgres:5432/caffeine | CAFFEINE=caffeine ./make-identities identities - >/dev/null && chmod -R a+rX ."
        shutil.copy(ROOT / "deploy/helm/make-identities", WORK / "make-identities")
        podman("run", "--rm", "--user", "0", "--volume", f"{WORK}:/work", "--entrypoint", "bash", IMAGE, "-c", script)
        (WORK / "nats.conf").write_text(
            'listen: "0.0.0.0:4222"\nhttp: "0.0.0.0:8222"\njetstream { store_dir: "/tmp/data", sync_interval: always }\ninclude "nats-users.json"\n'
        )
        (WORK / "owner").write_text("owner")
        common = ("--detach", "--network", NETWORK)
        podman(
            "run",
            *common,
            "--name",
            "postgres",
            "--volume",
            f"{WORK}/owner:/owner:ro",
            "--env",
            "POSTGRES_USER=caffeine",
            "--env",
            "POSTGRES_DB=caffeine",
            "--env",
            "POSTGRES_PASSWORD_FILE=/owner",
            "pgvector/pgvector:0.8.5-pg18",
        )
        podman(
            "run",
            *common,
            "--name",
            "nats",
            "--volume",
            f"{WORK}/nats.conf:/etc/nats/nats.conf:ro",
            "--volume",
            f"{self.ids}/nats-users.json:/etc/nats/nats-users.json:ro",
            "nats:2.15.1-alpine",
            "--config",
            "/etc/nats/nats.conf",
        )
        podman(
            "run",
            *common,
            "--name",
            "git",
            "--volume",
            f"{self.repositories}:/repositories:ro",
            "localhost/caffeine-git:test",
        )
        until(
            "the database is there",
            60,
            lambda: podman("exec", "postgres", "pg_isready", "--host=127.0.0.1", check=False).count("accepting"),
        )

    @property
    def repositories(self) -> Path:
        return WORK / "git/repositories"

    def secret(self, name: str, key: str) -> bytes:
        """What is in the Secrets that an operator makes, see make-identities."""
        files = {
            ("caffeine-database-owner", "url"): "owner.url",
            ("caffeine-admin-token", "token"): "admin-token",
            ("caffeine-session-keys", "keys"): "session-keys",
            ("caffeine-webhook-key", "key"): "webhook-key",
        }
        return (self.ids / files.get((name, key), key)).read_bytes()

    def project(self, pod: str, spec: dict) -> None:
        """What a kubelet does with volumes of Secrets, and podman 4 does wrong: a folder of just the `items`, of the pod's group."""
        for volume in spec.get("volumes", []):
            if "secret" not in volume:
                continue
            folder = WORK / "projected" / pod / volume["name"]
            folder.mkdir(parents=True)
            for item in volume["secret"]["items"]:
                file = folder / item["path"]
                file.write_bytes(self.secret(volume["secret"]["secretName"], item["key"]))
                os.chown(file, 0, spec["securityContext"]["fsGroup"])
                file.chmod(volume["secret"]["defaultMode"])
            del volume["secret"]
            volume["hostPath"] = {"path": str(folder), "type": "Directory"}

    def play(self, name: str, item: dict) -> str:
        """Runs an object and answers with the name of its pod."""
        template = item["spec"]["template"] if item["kind"] == "Deployment" else item
        for container in template["spec"]["containers"]:
            # podman 4 would call them with curl, which our image has none of; they are asked below.
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                container.pop(probe, None)
            # It would also publish every port of a container on the machine.
            container["ports"] = [
                {**port, "hostPort": PORT}
                for port in container.pop("ports", [])
                if (container["name"], port["name"]) == ("frontend", "http")
            ]
        file = WORK / f"{name}.yaml"
        self.project(item["metadata"]["name"], template["spec"])
        parts = [self.find("ConfigMap", "caffeine-settings"), item]
        file.write_text(yaml.safe_dump_all(parts))
        # The Service's name, as the frontend asks for it.
        label = template["metadata"].get("labels", {}).get("app.kubernetes.io/component")
        alias = f":alias={GATEWAY}" if label == "gateway" else ""
        podman("play", "kube", "--network", NETWORK + alias, str(file))
        pod = item["metadata"]["name"] + ("-pod-0" if item["kind"] == "Deployment" else "")
        if (
            not podman("pod", "exists", pod, check=False)
            and pod not in podman("pod", "ps", "--format", "{{.Name}}").split()
        ):
            pod = next(
                entry
                for entry in podman("pod", "ps", "--format", "{{.Name}}").split()
                if entry.startswith(item["metadata"]["name"])
            )
        self.pods[name] = pod
        return pod

    def job(self, part: str) -> None:
        job = self.find("Job", f"caffeine-{part}")
        template = job["spec"]["template"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"caffeine-{part}", "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        }
        name = f"{self.play(part, pod)}-{part}"
        code = podman("wait", name).strip()
        assert code == "0", podman_logs(name)

    def start(self, part: str, suffix: str = "") -> None:
        deployment = self.find("Deployment", f"caffeine-{part}")
        deployment["metadata"]["name"] += suffix
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        probes = [container[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
        pod = self.play(part + suffix, deployment)
        for probe in probes:
            asked = (f"{pod}-{part}", ports[probe["port"]], probe["path"])
            until(f"{part}{suffix} answers {probe}", 60, lambda asked=asked: self.ask(*asked) == 200)

    @staticmethod
    def ask(container: str, port: int, path: str) -> int:
        """The status of an answer, asked in the container as a kubelet asks it."""
        script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
        found = re.match(r"HTTP/1\.\d (\d+)", podman("exec", container, "bash", "-c", script, check=False))
        return int(found.group(1)) if found else 0

    def terminate(self, part: str) -> float:
        """As a node does it: SIGTERM to the process, its network stays, and the pod's own grace. How long it took."""
        begin = time.monotonic()
        deployment = self.find("Deployment", f"caffeine-{part}")
        grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        container = f"{self.pods[part]}-{part}"
        podman("stop", "--time", str(grace), container)
        code = podman("inspect", "--format", "{{.State.ExitCode}}", container).strip()
        assert code == "0", f"{part} ended with {code}:\n{podman_logs(container)}"
        return time.monotonic() - begin

    def rows(self, repository: str) -> dict[str, tuple[int, str]]:
        found = {}
        for name, query in ROWS.items():
            text = f"SELECT count(*), coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM ({query.format(r=repository)}) t"
            number, content = self.sql(text).split("|")
            found[name] = (int(number), content)
        return found

    @staticmethod
    def sql(text: str) -> str:
        return podman(
            "exec",
            "postgres",
            "psql",
            "--host=/tmp",
            "--username=caffeine",
            "--no-align",
            "--tuples-only",
            "--command",
            text,
        ).strip()

    def stored(self) -> dict[str, int]:
        """What the broker keeps of each stream, asked at its monitoring port."""
        text = podman("exec", "nats", "wget", "-q", "-O", "-", "http://127.0.0.1:8222/jsz?streams=1")
        streams = [stream for account in json.loads(text)["account_details"] for stream in account["stream_detail"]]
        return {stream["name"]: stream["state"]["messages"] for stream in streams}

    def clear(self) -> None:
        for pod in podman("pod", "ps", "--format", "{{.Name}}").split():
            if pod.startswith("caffeine-"):
                podman("pod", "rm", "--force", pod, check=False)
        podman("rm", "--force", "--volumes", "--time", "2", "--ignore", "postgres", "nats", "git", check=False)
        podman("network", "rm", "--force", NETWORK, check=False)


def podman_logs(name: str) -> str:
    return run("sh", "-c", f"podman logs {name} 2>&1 | tail -40", check=False)


def load_repositories() -> None:
    """The same content four times, of some hundred files."""
    bare = sample_repository(WORK / "git", "small")
    work = WORK / "git/large"
    for folder in ("crates", "services"):
        shutil.copytree(ROOT / folder, work / folder, ignore=shutil.ignore_patterns("target", "gen"))
    commit(work, *(bare / name / "large.git" for name in ("calm", "a", "b", "c")))


def rolling(cluster: Cluster, client: Client) -> None:
    calm = client.document("http://git:8000/calm/large.git")
    expected = cluster.rows(calm["repository"])
    say(
        f"undisturbed: {calm['pages']} pages in {calm['run']['seconds']:.0f} s; "
        + ", ".join(f"{name} {number}" for name, (number, _) in expected.items())
    )

    for stage in STAGES:
        cluster.start(stage, "-second")
    added = [client.add(f"http://git:8000/{name}/large.git") for name in ("a", "b", "c")]
    runs = [item["run"]["id"] for item in added]

    def swap(stage: str) -> None:
        listed = ", ".join(f"'{run_id}'" for run_id in runs)
        # In the middle of the stage's work: some is done, some is not.
        until(f"{stage} works", 120, lambda: int(cluster.sql(BEGUN[stage].format(runs=listed))) > 0)
        working = [run_id for run_id in runs if not client.call("GET", f"/api/v1/runs/{run_id}").get("ended_at")]
        assert working, f"{stage}: the runs were over too soon for this machine to be disturbed"
        took = cluster.terminate(stage)
        say(f"{stage}: the first pod was terminated while {len(working)} runs were at work, and ended in {took:.1f} s")

    with ThreadPoolExecutor(len(STAGES)) as pool:
        list(pool.map(swap, STAGES))

    for item in added:
        client.follow(item["run"]["id"])
        ended = client.call("GET", f"/api/v1/runs/{item['run']['id']}")
        assert ended["state"] == "completed", ended
        found = cluster.rows(item["repository"]["id"])
        wrong = {name: (expected[name], found[name]) for name in expected if expected[name] != found[name]}
        assert not wrong, f"not as undisturbed: {wrong}"
    work = {name: number for name, number in until_empty(cluster).items() if name not in ("EVENTS", "CONTROL")}
    assert not any(work.values()), f"left in the streams: {work}"
    say(
        "three runs under load: every row as undisturbed, nothing lost, nothing doubled; work streams and dead letters are empty"
    )


def until_empty(cluster: Cluster) -> dict[str, int]:
    until(
        "the streams are empty",
        60,
        lambda: not any(number for name, number in cluster.stored().items() if name not in ("EVENTS", "CONTROL")),
    )
    return cluster.stored()


def main() -> None:
    begin = time.monotonic()
    cluster = Cluster()
    try:
        load_repositories()
        cluster.servers()
        cluster.job("migrate")
        cluster.job("provision")
        for part in ("gateway", *STAGES, "housekeeper", "frontend"):
            cluster.start(part)
        say(f"migrate and provision done, seven Deployments ready in {time.monotonic() - begin:.0f} s")
        client = Client("127.0.0.1", PORT, (cluster.ids / "admin-token").read_text())
        found = client.document("http://git:8000/small.git")
        say(f"a repository was documented: {found['pages']} pages in {found['run']['seconds']:.1f} s")
        rolling(cluster, client)
    except BaseException:
        for name in podman("ps", "-a", "--format", "{{.Names}}").split():
            (WORK / f"{name}.log").write_text(run("sh", "-c", f"podman logs {name} 2>&1 | tail -300", check=False))
        say(f"the containers' logs are in {WORK}")
        raise
    finally:
        if "--keep" not in sys.argv:
            cluster.clear()
    say("chart-test: all held")


if __name__ == "__main__":
    main()
