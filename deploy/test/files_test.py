"""The Compose files, merged as an operator merges them, and nginx's configuration, read by nginx."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "deploy/compose"
OURS = {"gateway", "cloner", "chunker", "embedder", "doc-writer", "housekeeper", "migrate", "provision", "nginx"}
GOAL_MIB = 2048


def merged(*files: str) -> dict:
    """What podman-compose makes of the files, in a folder that `init` would have prepared."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(COMPOSE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("secrets", ".env"))
        Path(folder, "settings.env").touch()
        environment = {
            **os.environ,
            "VERSION": "1",
            "DOMAIN": "docs.example.org",
            "PUBLIC_URL": "https://docs.example.org",
        }
        command = [
            str(Path(sys.executable).parent / "podman-compose"),
            *(part for file in files for part in ("-f", file)),
            "config",
        ]
        done = subprocess.run(command, text=True, capture_output=True, check=True, cwd=folder, env=environment)
    return yaml.safe_load(done.stdout)


def mebibytes(limit: str) -> int:
    return int(limit.removesuffix("m"))


class Compose(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.one = merged("services.yaml", "servers.yaml")
        cls.managed = merged("services.yaml", "managed.yaml")

    def test_only_nginx_is_published_to_everybody(self) -> None:
        for project in (self.one, self.managed):
            for name, service in project["services"].items():
                for port in service.get("ports", []):
                    self.assertTrue(name == "nginx" or port.startswith("127.0.0.1:"), (name, port))

    def test_broker_and_database_have_no_way_out(self) -> None:
        for name in ("postgres", "nats"):
            self.assertEqual(self.networks(name), {"data"})
        self.assertTrue(self.one["networks"]["data"]["internal"])
        for name in ("chunker", "embedder", "housekeeper"):
            self.assertTrue(
                all((self.one["networks"][network] or {}).get("internal") for network in self.networks(name)), name
            )
        self.assertFalse({"data", "metrics", "admin"} & self.networks("nginx"))

    def networks(self, name: str) -> set[str]:
        return set(self.one["services"][name]["networks"])

    def test_managed_servers_are_elsewhere(self) -> None:
        services = set(self.one["services"])
        self.assertEqual(services - set(self.managed["services"]), {"postgres", "nats"})
        self.assertFalse((self.managed["networks"]["data"] or {}).get("internal"))

    def test_limits_keep_near_two_gigabytes(self) -> None:
        # They are not reached together; idle, compose_test holds everything to the goal.
        once = {"migrate", "provision", "acme", "doctor"}
        limits = {name: mebibytes(service["mem_limit"]) for name, service in self.one["services"].items()}
        self.assertLessEqual(sum(limit for name, limit in limits.items() if name not in once), GOAL_MIB * 1.3)

    def test_no_secret_stands_in_the_files(self) -> None:
        for name, service in self.one["services"].items():
            for variable, value in (service.get("environment") or {}).items():
                if re.search(r"PASSWORD|TOKEN|NKEY|SECRET|DATABASE_URL|_KEY", variable):
                    self.assertTrue(str(value).startswith("/run/secrets/"), (name, variable))

    def test_secrets_of_some_are_added_by_files(self) -> None:
        for file, service, secret in (
            ("model.yaml", "doc-writer", "anthropic-api-key"),
            ("sign-in.yaml", "gateway", "oidc-client-secret"),
        ):
            project = merged("services.yaml", "servers.yaml", file)["services"]
            self.assertIn(f"./secrets/{secret}:/run/secrets/{secret}:ro", project[service]["volumes"])
            self.assertIn("./secrets/identities/" + service + ".nk:/run/secrets/nkey:ro", project[service]["volumes"])
            others = [
                name for name, other in project.items() if any(secret in mount for mount in other.get("volumes", []))
            ]
            self.assertEqual(others, [service])

    def test_certificates_of_the_house_are_everywhere(self) -> None:
        project = merged("services.yaml", "managed.yaml", "authorities.yaml")["services"]
        for name in OURS - {"nginx"}:
            self.assertEqual(project[name]["environment"]["SSL_CERT_FILE"], "/run/secrets/authorities.pem", name)
            self.assertIn("./secrets/authorities.pem:/run/secrets/authorities.pem:ro", project[name]["volumes"])
            # Added, not in place of what was there.
            self.assertGreater(len(project[name]["environment"]), 1)

    def test_spans_leave_by_one_container(self) -> None:
        project = merged("services.yaml", "servers.yaml", "traces.yaml")
        self.assertEqual(set(project["services"]["collector"]["networks"]), {"metrics", "out"})
        for name in OURS - {"migrate", "provision", "nginx"}:
            self.assertIn("metrics", project["services"][name]["networks"])
        collector = yaml.safe_load((COMPOSE / "collector.yaml").read_text())
        pipeline = collector["service"]["pipelines"]["traces"]
        for kind in ("receivers", "processors", "exporters"):
            self.assertEqual(set(pipeline[kind]), set(collector[kind]))

    def test_every_secret_setting_is_mounted(self) -> None:
        """What the documentation calls a file is one here, given to the service whose setting it is."""
        documented = set(
            re.findall(r"^\| `(CAFFEINE_[A-Z_]+_FILE)`", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)
        )
        self.assertGreater(len(documented), 5)
        project = merged("services.yaml", "servers.yaml", "model.yaml", "sign-in.yaml")["services"]
        given = {}
        for name in OURS:
            given |= {variable: name for variable in project[name].get("environment") or {}}
        for setting in documented:
            # The public key is no secret, and yet a file here.
            self.assertIn(setting, given)
            file = project[given[setting]]["environment"][setting]
            self.assertTrue(any(mount.endswith(f":{file}:ro") for mount in project[given[setting]]["volumes"]), setting)

    def test_our_containers_can_do_nothing(self) -> None:
        for name in OURS:
            service = self.one["services"][name]
            self.assertTrue(service["read_only"] and service["cap_drop"] == ["ALL"], name)
            self.assertIn("no-new-privileges:true", service["security_opt"])

    def test_a_service_has_its_own_identity_only(self) -> None:
        for name in OURS - {"migrate", "provision", "nginx"}:
            mounts = [mount.split(":")[0] for mount in self.one["services"][name]["volumes"] if "identities" in mount]
            self.assertEqual({Path(mount).name for mount in mounts}, {f"{name}.nk", f"{name}.database-url"})

    def test_scripts_are_read_by_their_shells(self) -> None:
        for shell, files in {"bash": ("init", "make-secrets"), "sh": ("acme",)}.items():
            for file in files:
                subprocess.run([shell, "-n", COMPOSE / file], check=True)


class Nginx(unittest.TestCase):
    def read(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs `start` with an nginx that only tests what was written."""
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if nginx is None:
            self.fail("no nginx here: deploy/test/setup containers installs it")
        with tempfile.TemporaryDirectory() as folder:
            for file in (ROOT / "deploy/nginx").iterdir():
                text = file.read_text().replace("/etc/caffeine/nginx", folder).replace("/tmp/nginx", f"{folder}/run")
                text = text.replace("daemon off;'", "daemon off;' -t").replace("nginx -e", f"{nginx} -e")
                # Nobody renews a certificate here, and what waits for that would keep this test waiting.
                text = text.replace('if [ "$mode" = tls ]', "if false")
                Path(folder, file.name).write_text(text.replace("listen 8", "listen 127.0.0.1:1"))
            subprocess.run(
                [
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-nodes",
                    "-subj",
                    "/CN=x",
                    "-keyout",
                    f"{folder}/key.pem",
                    "-out",
                    f"{folder}/cert.pem",
                ],
                check=True,
                capture_output=True,
            )
            if "TLS" in environment:
                environment["TLS"] = folder
            return subprocess.run(
                ["sh", f"{folder}/start"],
                text=True,
                capture_output=True,
                check=False,
                env={**os.environ, "GATEWAY": "gateway:8080", **environment},
            )

    def test_both_configurations_are_read(self) -> None:
        for environment in ({}, {"TLS": "yes", "SERVER_NAME": "docs.example.org", "HTTPS_PORT": "8443"}):
            done = self.read(**environment)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("syntax is ok", done.stderr)
            self.assertNotIn("@", re.sub(r"@(gateway|limited)", "", done.stderr))


if __name__ == "__main__":
    unittest.main()
