"""make chart-test, first half: what can be said of the chart without running it.

Every value set is linted and rendered; every object is validated against the schemas of several versions of Kubernetes,
or the types of KEDA and of Prometheus' operator; and every variable, argument, port, probe, stream and key in it must be one that our programs know.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import kubernetes_validate
import yaml
from chart import CHART, PROGRAM, ROOT, SETS, caffeine, helm, objects, of_kind, pods
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor

VERSIONS = ("1.33", "1.35", "1.37")
RULES = sorted((ROOT / "deploy/observability/rules").glob("*.rules.yml"))
# Other operators' objects, and what they are to their operator.
FOREIGN = {"ScaledObject": ScaledObject, "ServiceMonitor": ServiceMonitor, "PrometheusRule": PrometheusRule}


def pipeline() -> dict[str, tuple[str, str]]:
    """Consumers of the generated document: durable → (stream, service)."""
    rows = re.findall(r"^\| (`[^|]+`) \| ([a-z-]+) \| ([A-Z]+) \| ", (ROOT / "docs/PIPELINE.md").read_text(), re.M)
    return {name: (stream, service) for names, service, stream in rows for name in re.findall(r"`([^`]+)`", names)}


def taken(item: dict) -> None:
    """Raises ValueError if the object's operator does not take it. The types pass over what they do not know: it is missed
    in what they say they have read."""
    known = yaml.safe_load(yaml.safe_dump(item))
    # Younger than the types that this Python can have (KEDA 2.16): the chart asks for 2.20.
    behavior = known["spec"].get("fallback", {}).pop("behavior", None)
    if behavior not in (None, "static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"):
        raise ValueError(f"fallback.behavior: {behavior}")
    said = FOREIGN[item["kind"]].model_validate(known).model_dump(mode="json", by_alias=True, exclude_unset=True)
    if said != known:
        raise ValueError(f"of {known} only {said} is read")


class Rendering(unittest.TestCase):
    def test_five_value_sets_are_linted(self) -> None:
        self.assertEqual(len(SETS), 5)
        for values in SETS:
            done = helm("lint", "--strict", str(CHART), "--values", str(values))
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_values_that_nobody_knows_are_refused(self) -> None:
        for wrong in (
            "scaling.mode=kedo",
            "replica=1",
            "services.cloner.grace=0",
            "ingress.enabled=true",
            "nats.url=nats://u:p@h",
            "settings.CAFFEINE_GATEWAY_ADMIN_TOKEN=cc_x",
            "image.digest=latest",
            "image.tag=latest",
            "cloner.cache.size=many",
            "settings.CAFFEINE_GATEWAY_WEBHOOK_KEY=x",
            "scaling.triggers.cloner[0].lag=65",
        ):
            self.assertNotEqual(helm("template", "x", str(CHART), "--set", wrong).returncode, 0, wrong)

    def test_objects_are_what_kubernetes_takes(self) -> None:
        for values in SETS:
            for item in objects(values):
                if item["kind"] in FOREIGN:
                    continue
                for version in VERSIONS:
                    with self.subTest(
                        values=values.name, kind=item["kind"], name=item["metadata"]["name"], version=version
                    ):
                        kubernetes_validate.validate(item, version, strict=True)

    def test_a_wrong_object_is_not_taken(self) -> None:
        deployment = yaml.safe_load(yaml.safe_dump(of_kind(SETS[0], "Deployment")[0]))
        deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)

    def test_objects_are_what_operators_take(self) -> None:
        seen = {kind: set() for kind in FOREIGN}
        for values in SETS:
            for item in of_kind(values, *FOREIGN):
                with self.subTest(values=values.name, kind=item["kind"], name=item["metadata"]["name"]):
                    seen[item["kind"]].add(item["metadata"]["name"])
                    taken(item)
        self.assertEqual(
            seen["ScaledObject"], {f"caffeine-{stage}" for stage in ("cloner", "chunker", "embedder", "doc-writer")}
        )
        self.assertEqual(seen["ServiceMonitor"], {"caffeine"})
        self.assertEqual(len(seen["PrometheusRule"]), len(RULES))

    def test_what_operators_do_not_take(self) -> None:
        """A value of another type, and a word that the operator does not know."""
        for kind, path, value in (
            ("ScaledObject", ("spec", "maxReplicaCount"), "many"),
            ("ScaledObject", ("spec", "maxReplicas"), 3),
            ("ScaledObject", ("spec", "fallback", "behavior"), "highest"),
            ("ServiceMonitor", ("spec", "endpoints", 0, "interval"), ["15s"]),
            ("ServiceMonitor", ("spec", "endpoints", 0, "intervall"), "15s"),
            ("ServiceMonitor", ("spec", "endpoints", 0, "relabelings", 0, "action"), "rename"),
            ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "labels"), "page"),
            ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "express"), "up"),
        ):
            broken = yaml.safe_load(yaml.safe_dump(of_kind(CHART / "ci/keda-values.yaml", kind)[0]))
            place = broken
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            with self.subTest(kind=kind, path=path), self.assertRaises(ValueError):
                taken(broken)

    def test_names_are_unique(self) -> None:
        for values in SETS:
            found = [(item["kind"], item["metadata"]["name"]) for item in objects(values)]
            self.assertEqual(len(found), len(set(found)), values.name)

    def test_deploy_k8s_is_current(self) -> None:
        done = subprocess.run([ROOT / "deploy/k8s/render", "--check"], text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Programs(unittest.TestCase):
    """The chart says nothing that the programs do not know."""

    def settings(self, values: Path, container: dict) -> dict[str, str]:
        names = [source["configMapRef"]["name"] for source in container.get("envFrom", [])]
        found: dict[str, str] = {}
        for item in of_kind(values, "ConfigMap"):
            if item["metadata"]["name"] in names:
                found |= item["data"] or {}
        return found | {entry["name"]: entry["value"] for entry in container.get("env", [])}

    def test_variables(self) -> None:
        documented = set(re.findall(r"CAFFEINE_[A-Z_]+", (ROOT / "docs/configuration.md").read_text()))
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            for values in SETS:
                for part, _, container in pods(values):
                    settings = {
                        name: value
                        for name, value in self.settings(values, container).items()
                        if name.startswith("CAFFEINE_")
                    }
                    if part == "frontend":
                        self.assertFalse(settings)
                        continue
                    for name in settings:
                        self.assertIn(
                            name.removesuffix("_FILE"),
                            documented | {name.removesuffix("_FILE") for name in documented},
                            part,
                        )
                    # Read by the program itself; servers are not asked, and files are not there.
                    asked = {
                        name: file.name if name.endswith("_FILE") else value
                        for name, value in settings.items()
                        if "_URL" not in name or "ANTHROPIC" in name
                    }
                    report = caffeine("doctor", **asked)
                    self.assertNotIn("unknown", report, (values.name, part))
                    self.assertIn("settings of housekeeper: understood", report)
        self.assertIn("unknown", caffeine("doctor", CAFFEINE_CLONER_CACHE_DIR="/x"))

    def test_every_secret_setting_can_be_given(self) -> None:
        documented = set(
            re.findall(r"^\| `(CAFFEINE_[A-Z_]+_FILE)`", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)
        )
        self.assertGreater(len(documented), 5)
        given = {
            name
            for _, _, container in pods(CHART / "ci/keda-values.yaml")
            for name in self.settings(CHART / "ci/keda-values.yaml", container)
        }
        self.assertLessEqual(documented, given)

    def test_secrets_have_keys_that_are_made(self) -> None:
        """What the chart asks of Secrets is what `make-identities` prints how to make."""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [ROOT / "deploy/helm/make-identities", f"{folder}/x", "-"],
                input="postgres://caffeine:p@h:5432/caffeine?sslmode=verify-full",
                text=True,
                capture_output=True,
                check=True,
                env={"PATH": os.environ["PATH"], "CAFFEINE": PROGRAM},
            )
        made: dict[str, set[str]] = {}
        for name, files in re.findall(r"secret generic (\S+) (.*)", done.stdout):
            made[name] = {part.split("=", 1)[0] for part in re.findall(r"--from-file=(\S+=\S+|\S+)", files)}
            made[name] = {Path(key).name for key in made[name]}
        asked: dict[str, set[str]] = {}
        for _, template, _ in pods(CHART / "ci/keda-values.yaml"):
            for volume in template["spec"].get("volumes", []):
                if "secret" in volume:
                    keys = {entry["key"] for entry in volume["secret"]["items"]}
                    asked.setdefault(volume["secret"]["secretName"], set()).update(keys)
        # Other people give these.
        for name in ("caffeine-client-secret", "caffeine-model-key"):
            del asked[name]
        self.assertEqual(set(asked), set(made))
        for name, keys in asked.items():
            self.assertLessEqual(keys, made[name], name)
        self.assertNotIn(":p@", done.stdout, "a password is printed")

    def test_arguments(self) -> None:
        roles = set(re.findall(r"- ([a-z-]+):", caffeine("serve", "--help")))
        profiles = set(re.findall(r"- ([a-z-]+):", caffeine("provision", "--help")))
        for values in SETS:
            for part, _, container in pods(values):
                arguments = container.get("args", [])
                if part in ("migrate", "frontend"):
                    self.assertIn(arguments, ([], ["migrate"]))
                elif part == "provision":
                    self.assertEqual(arguments[:2], ["provision", "--profile"])
                    self.assertIn(arguments[2], profiles)
                else:
                    self.assertEqual(arguments, ["serve", part])
                    self.assertIn(part, roles)
        self.assertIn("--roles", caffeine("migrate", "--help"))

    def test_ports_and_probes(self) -> None:
        dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
        health = re.search(r"CAFFEINE_HEALTH_LISTEN=0\.0\.0\.0:(\d+)", dockerfile).group(1)  # type: ignore[union-attr]
        api = re.search(r"CAFFEINE_GATEWAY_LISTEN=0\.0\.0\.0:(\d+)", dockerfile).group(1)  # type: ignore[union-attr]
        paths = set(re.findall(r'"(/[a-z]+)"\) =>', (ROOT / "crates/kit/src/health.rs").read_text()))
        self.assertEqual(paths, {"/livez", "/readyz", "/metrics"})
        nginx = "".join(file.read_text() for file in (ROOT / "deploy/nginx").glob("*.conf"))
        for values in SETS:
            for part, template, container in pods(values):
                if "ports" not in container:
                    continue
                ports = {port["name"]: port["containerPort"] for port in container["ports"]}
                wanted = {"metrics": int(health)}
                if part == "gateway":
                    wanted["http"] = int(api)
                if part == "frontend":
                    wanted = {"http": 8080, "health": 8081}
                    self.assertTrue(
                        "listen 8080;" in nginx and "listen 8081;" in nginx and "location = /livez" in nginx
                    )
                self.assertEqual(ports, wanted, part)
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    asked = container[probe]["httpGet"]
                    if (part, probe) == ("gateway", "startupProbe"):
                        self.assertEqual(asked, {"path": "/api/v1/health", "port": "http"})
                        self.assertIn('"/api/v1/health"', (ROOT / "schemas/openapi.json").read_text())
                        continue
                    self.assertIn(asked["path"], paths)
                    self.assertEqual(asked["port"], "health" if part == "frontend" else "metrics")
                self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/livez")

    def test_triggers(self) -> None:
        consumers = pipeline()
        self.assertGreater(len(consumers), 8)
        for values in SETS:
            prefix = yaml.safe_load(values.read_text()).get("nats", {}).get("prefix", "")
            for item in of_kind(values, "ScaledObject"):
                for trigger in item["spec"]["triggers"]:
                    told = trigger["metadata"]
                    stream, service = consumers[told["consumer"]]
                    self.assertEqual(told["stream"], f"{prefix}_{stream}" if prefix else stream)
                    self.assertEqual(item["metadata"]["name"], f"caffeine-{service}")
        scaled = {
            trigger["metadata"]["consumer"]
            for item in of_kind(CHART / "ci/keda-values.yaml", "ScaledObject")
            for trigger in item["spec"]["triggers"]
        }
        self.assertEqual(scaled | {"projector"}, set(consumers), "a consumer that scales nothing")

    def test_identities(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            caffeine("users", f"{folder}/x")
            keys = {file.name for file in Path(folder, "x").glob("*.nk")}
        mounted = set()
        for part, template, _ in pods(SETS[-1]):
            for volume in template["spec"].get("volumes", []):
                for entry in volume.get("secret", {}).get("items", []):
                    mounted |= {entry["key"]} if entry["key"].endswith(".nk") else set()
        self.assertEqual(mounted, keys)


class Monitoring(unittest.TestCase):
    """What Prometheus' operator is told is what the Services and the rules' files say."""

    def test_rules_are_those_that_promtool_tested(self) -> None:
        rendered = 0
        for values in SETS:
            told = {item["metadata"]["name"]: item["spec"] for item in of_kind(values, "PrometheusRule")}
            if not told:
                continue
            files = {f"caffeine-{file.name.removesuffix('.rules.yml')}": file for file in RULES}
            self.assertEqual(told, {name: yaml.safe_load(file.read_text()) for name, file in files.items()})
            rendered += 1
        self.assertGreater(rendered, 0)

    def test_every_pod_with_metrics_is_found(self) -> None:
        monitored = 0
        for values in SETS:
            for monitor in of_kind(values, "ServiceMonitor"):
                monitored += 1
                # It looks in its own namespace; all that is rendered here is in that of the release.
                self.assertNotIn("namespaceSelector", monitor["spec"])
                wanted = monitor["spec"]["selector"]["matchLabels"].items()
                services = [
                    item for item in of_kind(values, "Service") if wanted <= item["metadata"]["labels"].items()
                ]
                self.assertEqual(len(services), 1, services)
                ports = {port["name"]: port["targetPort"] for port in services[0]["spec"]["ports"]}
                (endpoint,) = monitor["spec"]["endpoints"]
                # The programs answer at Prometheus' usual path, see the test of ports.
                self.assertEqual(endpoint.get("path", "/metrics"), "/metrics")
                self.assertNotIn(endpoint.get("scheme"), ("https", "HTTPS"))
                target = ports[endpoint["port"]]
                chosen = services[0]["spec"]["selector"].items()
                for part, template, container in pods(values):
                    if part in ("migrate", "provision"):
                        continue
                    self.assertLessEqual(chosen, template["metadata"]["labels"].items(), part)
                    named = {port["name"] for port in container["ports"]}
                    # nginx has no such port, so that it is no target.
                    self.assertEqual(target in named, part != "frontend", (part, named))
                renamed = {rule["targetLabel"]: rule for rule in endpoint["relabelings"]}
                source = "__meta_kubernetes_pod_label_" + re.sub(r"\W", "_", "app.kubernetes.io/component")
                self.assertEqual(renamed["service"]["sourceLabels"], [source])
                self.assertEqual(renamed["job"]["replacement"], "caffeine")
        self.assertGreater(monitored, 0)


if __name__ == "__main__":
    unittest.main()
