"""The chart's Deployments and Jobs with podman for a cluster, and what stands beside them: broker, database, git host.

The objects are those of `helm template` with ci/minimal-values.yaml. podman knows Deployments, Pods, ConfigMaps but no Jobs:
migrate and provision run as Pods with the Jobs' templates; files of Secrets are laid out here, and probes asked.

Two gateways behind one name: both pods have the Service's name as an alias in the network, so that the name server answers
with both addresses, as that of a headless Service does. A pod with a `preStop` is taken out of the answer before it runs, as
its endpoint is taken out of a Service.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import yaml
from podman import ROOT, podman, run, until

WORK = ROOT / ".run/kube-test"
NETWORK = "caffeine-kube"
# Where podman keeps what its name server answers.
NAMES = Path("/run/containers/networks/aardvark-dns")
PORT = 18093
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)  # type: ignore[union-attr]
IMAGE = f"localhost/caffeine:{VERSION}"
GATEWAY = "caffeine-gateway.default.svc.cluster.local"
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
        spec = self.find("Deployment", f"caffeine-{part}")["spec"]["template"]["spec"]
        container = f"{self.pods[part]}-{part}"
        if hook := spec["containers"][0].get("lifecycle", {}).get("preStop"):
            self.forget(self.pods[part])
            podman("exec", container, *hook["exec"]["command"])
        podman("stop", "--time", str(spec["terminationGracePeriodSeconds"]), container)
        code = podman("inspect", "--format", "{{.State.ExitCode}}", container).strip()
        assert code == "0", f"{part} ended with {code}:\n{podman_logs(container)}"
        return time.monotonic() - begin

    @staticmethod
    def forget(pod: str) -> None:
        """The name server answers no more with a pod's address; its connections stay. podman only knows how to cut both."""
        network = json.loads(podman("pod", "inspect", pod))["InfraContainerID"]
        file = NAMES / NETWORK
        lines = [line for line in file.read_text().splitlines(keepends=True) if not line.startswith(network)]
        assert len(lines) == len(file.read_text().splitlines()) - 1, f"{pod} is not in {file}"
        file.write_text("".join(lines))
        os.kill(int((NAMES / "aardvark.pid").read_text()), signal.SIGHUP)

    def gateways(self) -> list[str]:
        """Which gateway answered each call, in the order that the frontend has written."""
        log = run("sh", "-c", f"podman logs {self.pods['frontend']}-frontend 2>&1")
        return re.findall(r'"upstream":"(?:[^"]*, )?([0-9.]+):8080"', log)

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
