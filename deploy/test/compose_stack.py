"""The one-server installation as a test starts it: the shipped Compose files in a copy of deploy/, and what stands outside."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml
from client import Client
from podman import HERE, ROOT, inspect, podman, run, sample_repository, say, until

PROJECT = "caffeine-test"
DOMAIN = "caffeine.test"
HTTPS, HTTP, ADMINER, PROMETHEUS, MODEL = 18443, 18080, 18090, 18091, 18092
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)  # type: ignore[union-attr]
# The last two have a profile.
LEFT_OUT = {"grafana", "acme", "doctor"}


class Stack:
    """The compose project in a copy of deploy/, with a git host beside it."""

    def __init__(self, project: str = PROJECT, arguments: tuple[str, ...] = (), **variables: str) -> None:
        """`arguments` and `variables` are for `init`."""
        self.project, self.work = project, ROOT / ".run" / project
        shutil.rmtree(self.work, ignore_errors=True)
        for folder in ("compose", "observability"):
            shutil.copytree(
                ROOT / "deploy" / folder,
                self.work / folder,
                ignore=shutil.ignore_patterns("secrets", ".env", "settings.env"),
            )
        self.folder = self.work / "compose"
        self.repositories = sample_repository(self.work / "git")
        self.environment = {
            "ENGINE": "podman",
            "VERSION": VERSION,
            "PATH": sys_path(),
            "CONTAINERS_CONF": str(HERE / "containers.conf"),
            **variables,
        }
        self.init_arguments = ("--domain", DOMAIN, *arguments)
        self.init()
        self.set("CAFFEINE_CLONER_ALLOW_HOSTS=git:8000")
        with (self.folder / ".env").open("a") as file:
            file.write(f"HTTPS_PORT={HTTPS}\nHTTP_PORT={HTTP}\nADMINER_PORT={ADMINER}\nPROMETHEUS_PORT={PROMETHEUS}\n")
        self.edit(("=caffeine\n", f"={project}\n"), (f"//{DOMAIN}\n", f"//{DOMAIN}:{HTTPS}\n"))
        # Beside the shipped services, and what a test adds to them.
        self.beside: dict = {
            "git": {
                "image": "localhost/caffeine-git:test",
                "networks": ["out"],
                "volumes": [f"{self.repositories}:/repositories:ro"],
            }
        }
        self.additions: dict = {"gateway": {"volumes": interface_of_debug_programs()}}
        self.left_out = set(LEFT_OUT)
        self.variables: dict[str, str] = {}

    def init(self) -> None:
        run(str(self.folder / "init"), *self.init_arguments, env=self.environment)

    def set(self, *lines: str) -> None:
        with (self.folder / "settings.env").open("a") as settings:
            settings.writelines(f"{line}\n" for line in lines)

    def edit(self, *changes: tuple[str, str]) -> None:
        file = self.folder / ".env"
        text = file.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text)

    def merge(self) -> None:
        """The files as .env names them, and the containers of an earlier test gone."""
        text = (self.folder / ".env").read_text()
        self.variables = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
        files = [part for file in self.variables["COMPOSE_FILE"].split(":") for part in ("-f", file)]
        merged = yaml.safe_load(self.compose(*files, "config"))
        merged["services"] |= self.beside
        services = {name: spec for name, spec in merged["services"].items() if name not in self.left_out}
        for name, addition in self.additions.items():
            for key, value in addition.items():
                services[name][key] = [*services[name].get(key, []), *value]
        merged["services"] = {
            name: {k: v for k, v in spec.items() if k not in ("depends_on", "scale")} for name, spec in services.items()
        }
        (self.folder / "merged.yaml").write_text(yaml.safe_dump(merged))
        self.services = services
        self.down()

    def compose(self, *arguments: str, check: bool = True) -> str:
        return run(
            "podman-compose", *arguments, check=check, cwd=self.folder, env={**self.environment, **self.variables}
        )

    def up(self) -> None:
        waiting = dict(self.services)
        while waiting:
            ready = [
                name
                for name, spec in waiting.items()
                if all(self.holds(*on) for on in spec.get("depends_on", {}).items())
            ]
            if not ready:
                time.sleep(0.3)
                continue
            scale = [
                part
                for name in ready
                if (count := int(waiting[name].get("scale", 1))) > 1
                for part in ("--scale", f"{name}={count}")
            ]
            self.compose("-f", "merged.yaml", "up", "-d", *scale, *ready)
            for name in ready:
                del waiting[name]

    def holds(self, service: str, condition: dict) -> bool:
        if not podman("ps", "-aq", "--filter", f"name=^{self.container(service)}$"):
            return False
        state = inspect(self.container(service))["State"]
        if condition["condition"] == "service_completed_successfully":
            assert state["Running"] or not state["ExitCode"], podman("logs", self.container(service))
            return not state["Running"] and bool(state["FinishedAt"])
        return self.health(self.container(service)) == "healthy"

    @staticmethod
    def health(name: str) -> str:
        """Empty, if the container has no health check."""
        state = inspect(name)["State"]
        return (state.get("Health") or state.get("Healthcheck") or {}).get("Status", "")

    def wait_until_healthy(self) -> None:
        for name in self.containers():
            if self.health(name):
                until(f"{name} is healthy", 90, lambda name=name: self.health(name) == "healthy")

    def client(self) -> Client:
        """The administrator, by nginx and with the installation's certificate."""
        token = (self.folder / "secrets/admin-token").read_text().strip()
        return Client("127.0.0.1", HTTPS, token, DOMAIN, self.folder / "secrets/tls/cert.pem")

    def container(self, service: str, number: int = 1) -> str:
        return f"{self.project}_{service}_{number}"

    def logs(self) -> None:
        for name in self.containers():
            (self.work / f"{name}.log").write_text(run("sh", "-c", f"podman logs {name} 2>&1 | tail -300", check=False))
        say(f"the containers' logs are in {self.work}")

    def containers(self) -> list[str]:
        return podman(
            "ps", "--filter", f"label=io.podman.compose.project={self.project}", "--format", "{{.Names}}"
        ).split()

    def down(self) -> None:
        # What podman-compose forgets, the second gateway, would meet the next run with the keys of this one.
        if ids := podman("ps", "-aq", "--filter", f"label=io.podman.compose.project={self.project}").split():
            podman("rm", "--force", "--time", "5", *ids, check=False)
        self.compose("-f", "merged.yaml", "down", "--volumes", "--timeout", "20", check=False)


def interface_of_debug_programs() -> list[str]:
    """A debug build has no interface in it: it reads the folder of the checkout that it was built in, so that lies there."""
    program = (ROOT / ".run/images/bin/caffeine").read_bytes()
    built_in = re.search(rb"(/[\w./-]+)/services/gateway/\.\./\.\./web/dist", program)
    if built_in is None:
        return []
    checkout = built_in.group(1).decode()
    # The way there leads by the gateway's own folder.
    return [f"{ROOT}/web/dist:{checkout}/web/dist:ro", f"{ROOT}/web/public:{checkout}/services/gateway:ro"]


def sys_path() -> str:
    return f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"


class Outside:
    """Another machine: a network namespace with a cable to this one."""

    def __init__(self) -> None:
        self.name, self.cable, self.host = "caffeine-out", "caffeine-cable", "198.18.7.1"

    def __enter__(self) -> Outside:
        self.__exit__()
        for line in (
            f"netns add {self.name}",
            f"link add {self.cable} type veth peer name eth0 netns {self.name}",
            f"addr add {self.host}/24 dev {self.cable}",
            f"link set {self.cable} up",
            f"-n {self.name} addr add 198.18.7.2/24 dev eth0",
            f"-n {self.name} link set eth0 up",
        ):
            run("ip", *line.split())
        return self

    def run(self, script: str) -> str:
        return run("ip", "netns", "exec", self.name, "bash", "-c", script)

    def __exit__(self, *_: object) -> None:
        run("ip", "link", "del", self.cable, check=False)
        run("ip", "netns", "del", self.name, check=False)


class FakeModel:
    """A running llmock (npm @copilotkit/aimock)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> FakeModel:
        fixtures = self.folder / "fixtures.json"
        fixtures.write_text('{"fixtures": [{"match": {}, "response": {"content": "Identifiers are types. [1]"}}]}')
        program = ROOT / "tests/fakes/node_modules/.bin/llmock"
        self.child = subprocess.Popen(
            [program, "--host", "0.0.0.0", "--port", str(MODEL), "--log-level", "warn", "--fixtures", fixtures]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
