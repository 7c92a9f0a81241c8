"""The one-server installation as a test starts it: the shipped Compose files in a copy of deploy/, and what stands outside."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml
from podman import HERE, ROOT, inspect, podman, run, sample_repository, wide_repository

PROJECT = "caffeine-test"
DOMAIN = "caffeine.test"
HTTPS, HTTP, ADMINER, PROMETHEUS, MODEL = 18443, 18080, 18090, 18091, 18092
VERSION = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)  # type: ignore[union-attr]
LEFT_OUT = {"grafana", "acme"}
WORK = ROOT / ".run/compose-test"


def container(service: str, number: int = 1) -> str:
    return f"{PROJECT}_{service}_{number}"


class Stack:
    """The compose project in a copy of deploy/, with a git host beside it."""

    def __init__(self) -> None:
        shutil.rmtree(WORK, ignore_errors=True)
        for folder in ("compose", "observability"):
            shutil.copytree(
                ROOT / "deploy" / folder,
                WORK / folder,
                ignore=shutil.ignore_patterns("secrets", ".env", "settings.env"),
            )
        self.folder = WORK / "compose"
        self.repositories = sample_repository(WORK / "git")
        wide_repository(self.repositories / "wide.git")
        self.environment = {
            "ENGINE": "podman",
            "VERSION": VERSION,
            "PATH": sys_path(),
            "CONTAINERS_CONF": str(HERE / "containers.conf"),
        }
        run(str(self.folder / "init"), "--domain", DOMAIN, env=self.environment)
        with (self.folder / "settings.env").open("a") as settings:
            settings.write("CAFFEINE_CLONER_ALLOW_HOSTS=git:8000\n")
            settings.write(
                f"CAFFEINE_DOC_WRITER_ANTHROPIC_BASE_URL=http://host.containers.internal:{MODEL}\nCAFFEINE_DOC_WRITER_EGRESS=approved\n"
            )
            # Without a price no cost is counted. The amount is nobody's.
            settings.write("CAFFEINE_DOC_WRITER_PRICES=claude-sonnet-5-5=1/1\n")
        with (self.folder / ".env").open("a") as variables:
            variables.write(
                f"HTTPS_PORT={HTTPS}\nHTTP_PORT={HTTP}\nADMINER_PORT={ADMINER}\nPROMETHEUS_PORT={PROMETHEUS}\n"
            )
        text = (
            (self.folder / ".env")
            .read_text()
            .replace("GATEWAYS=1", "GATEWAYS=2")
            .replace("=caffeine\n", f"={PROJECT}\n")
            .replace(f"//{DOMAIN}\n", f"//{DOMAIN}:{HTTPS}\n")
        )
        (self.folder / ".env").write_text(text)
        self.variables = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
        self.services = self._merge()
        self.down()

    def _merge(self) -> dict:
        files = [part for file in self.variables["COMPOSE_FILE"].split(":") for part in ("-f", file)]
        merged = yaml.safe_load(self.compose(*files, "config"))
        merged["services"]["git"] = {
            "image": "localhost/caffeine-git:test",
            "networks": ["out"],
            "volumes": [f"{self.repositories}:/repositories:ro"],
        }
        services = {name: spec for name, spec in merged["services"].items() if name not in LEFT_OUT}
        merged["services"] = {
            name: {k: v for k, v in spec.items() if k not in ("depends_on", "scale")} for name, spec in services.items()
        }
        (self.folder / "merged.yaml").write_text(yaml.safe_dump(merged))
        return services

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
        if not podman("ps", "-aq", "--filter", f"name=^{container(service)}$"):
            return False
        state = inspect(container(service))["State"]
        if condition["condition"] == "service_completed_successfully":
            assert state["Running"] or not state["ExitCode"], podman("logs", container(service))
            return not state["Running"] and bool(state["FinishedAt"])
        return self.is_healthy(container(service))

    @staticmethod
    def is_healthy(name: str) -> bool:
        state = inspect(name)["State"]
        return (state.get("Health") or state.get("Healthcheck"))["Status"] == "healthy"

    def containers(self) -> list[str]:
        return podman("ps", "--filter", f"label=io.podman.compose.project={PROJECT}", "--format", "{{.Names}}").split()

    def down(self) -> None:
        # What podman-compose forgets, the second gateway, would meet the next run with the keys of this one.
        for name in podman("ps", "-aq", "--filter", f"label=io.podman.compose.project={PROJECT}").split():
            podman("rm", "--force", "--time", "5", name, check=False)
        self.compose("-f", "merged.yaml", "down", "--volumes", "--timeout", "20", check=False)


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

    def __enter__(self) -> FakeModel:
        fixtures = WORK / "fixtures.json"
        fixtures.write_text('{"fixtures": [{"match": {}, "response": {"content": "Identifiers are types. [1]"}}]}')
        program = ROOT / "tests/fakes/node_modules/.bin/llmock"
        self.child = subprocess.Popen(
            [program, "--host", "0.0.0.0", "--port", str(MODEL), "--log-level", "warn", "--fixtures", fixtures]
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
