"""The chart's examples for other people's charts and operators: whether these take them, as far as their types are to be had,
and whether they are large enough for what the chart and the streams ask."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from chart import CHART, ROOT, caffeine, helm, pods
from typescript import schema

VERSIONS = ("1.33", "1.35", "1.37")
COMPOSE = yaml.safe_load((ROOT / "deploy/compose/servers.yaml").read_text())["services"]
TYPES = ROOT / ".tools/operate/cloudnative-pg.d.ts"
SERVER = ROOT / ".tools/nats/nats-server"
# Kept by PostgreSQL for superusers, and by the operator for itself.
RESERVED = 3 + 5


def example(name: str) -> dict:
    return yaml.safe_load((CHART / "examples" / name).read_text())


def mebibytes(quantity: str) -> float:
    number, unit = re.fullmatch(r"(\d+)([MGT]i)B?", quantity).groups()  # type: ignore[union-attr]
    return int(number) * {"Mi": 1, "Gi": 1024, "Ti": 1024**2}[unit]


class NetworkPolicy(unittest.TestCase):
    def test_it_is_what_kubernetes_takes(self) -> None:
        policy = example("nats-networkpolicy.yaml")
        for version in VERSIONS:
            kubernetes_validate.validate(policy, version, strict=True)
        # Its guests are the pods of the chart.
        label = policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
        for part, template, _ in pods(CHART / "ci/keda-values.yaml"):
            self.assertLessEqual(label.items(), template["metadata"]["labels"].items(), part)


class Database(unittest.TestCase):
    """database.yaml: a Cluster of CloudNativePG, held against the types of its CustomResourceDefinition."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.types = jsonschema.Draft7Validator(schema(TYPES, "Cluster"))
        cls.cluster = example("database.yaml")

    def test_it_is_what_the_operator_takes(self) -> None:
        self.assertEqual(self.cluster["apiVersion"], "postgresql.cnpg.io/v1")
        self.types.validate(self.cluster)

    def test_what_the_operator_does_not_take(self) -> None:
        for path, value in (
            (("spec", "instances"), "three"),
            (("spec", "replicas"), 3),
            (("spec", "logLevel"), "loud"),
            (("spec", "bootstrap", "initdb", "postInitApplicationSql"), []),
            (("spec", "bootstrap", "initdb", "postInitApplicationSQL"), "CREATE EXTENSION vector"),
            (("spec", "postgresql", "parameters", "max_connections"), 300),
            (("spec", "resources", "limits", "memory"), True),
            (("spec", "storage", "size"), 100),
            (("spec", "monitoring", "enablePodMonitor"), "yes"),
            (("spec", "instances"), None),
        ):
            broken = example("database.yaml")
            place = broken
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
            with self.subTest(path=path, value=value), self.assertRaises(jsonschema.ValidationError):
                self.types.validate(broken)
        del (broken := example("database.yaml"))["spec"]["instances"]
        with self.assertRaises(jsonschema.ValidationError):
            self.types.validate(broken)

    def test_it_takes_the_connections_of_all_pods(self) -> None:
        """As many as the chart's own values may come to, and one more of each while they are replaced."""
        done = helm("template", "caffeine", str(CHART))
        items = [item for item in yaml.safe_load_all(done.stdout) if item]
        most = {
            item["spec"]["scaleTargetRef"]["name"]: item["spec"]["maxReplicas"]
            for item in items
            if item["kind"] == "HorizontalPodAutoscaler"
        }
        self.assertEqual(len(most), 5)
        asked = 0
        for item in items:
            if item["kind"] == "Deployment":
                name = item["metadata"]["name"]
                (container,) = item["spec"]["template"]["spec"]["containers"]
                variables = {entry["name"]: entry["value"] for entry in container["env"]}
                number = most.get(name) or item["spec"]["replicas"]
                asked += (number + 1) * int(variables["CAFFEINE_DATABASE_CONNECTIONS"])
        parameters = self.cluster["spec"]["postgresql"]["parameters"]
        self.assertGreater(asked, 100)
        self.assertGreaterEqual(int(parameters["max_connections"]), asked + RESERVED)

    def test_its_version_and_memory(self) -> None:
        # The PostgreSQL that everything is tested with.
        major = re.search(r"pg(\d+)", COMPOSE["postgres"]["image"]).group(1)  # type: ignore[union-attr]
        self.assertRegex(self.cluster["spec"]["imageName"], rf":{major}-")
        limit = mebibytes(self.cluster["spec"]["resources"]["limits"]["memory"])
        parameters = self.cluster["spec"]["postgresql"]["parameters"]
        # PostgreSQL's GB are 1024 MB of 1024 kB.
        buffers, cache = (
            mebibytes(parameters[name].replace("B", "i")) for name in ("shared_buffers", "effective_cache_size")
        )
        self.assertLess(buffers, limit / 2)
        self.assertLess(cache, limit)


class Broker(unittest.TestCase):
    """nats.yaml: values of the NATS chart. It has no schema, so what its templates pass on is held against whoever reads it."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.values = example("nats.yaml")
        cls.jetstream = cls.values["config"]["jetstream"]

    def test_the_pod_is_what_kubernetes_takes(self) -> None:
        """`merge` is laid over the container, `env` and the constraints become lists."""
        container = {
            "name": "nats",
            "image": f"nats:{self.values['container']['image']['tag']}",
            "env": [{"name": name, "value": value} for name, value in self.values["container"]["env"].items()],
            **self.values["container"]["merge"],
        }
        constraints = [
            {"topologyKey": key, "labelSelector": {}, **rest}
            for key, rest in self.values["podTemplate"]["topologySpreadConstraints"].items()
        ]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "nats"},
            "spec": {"containers": [container], "topologySpreadConstraints": constraints},
        }
        for version in VERSIONS:
            kubernetes_validate.validate(pod, version, strict=True)

    def test_the_server_takes_its_configuration(self) -> None:
        self.assertEqual(self._configured(self.jetstream["merge"]), "")
        self.assertIn("unknown field", self._configured({"sync_intervall": "always"}))

    def _configured(self, jetstream: dict) -> str:
        """What the server has against the configuration that the chart makes, with the users that are merged into it."""
        with tempfile.TemporaryDirectory() as folder:
            caffeine("users", f"{folder}/identities")
            users = json.loads(Path(folder, "identities/nats-users.json").read_text())
            sizes = {
                "max_memory_store": self.jetstream["memoryStore"]["maxSize"],
                "max_file_store": self.jetstream["fileStore"]["pvc"]["size"],
            }
            text = json.dumps({**users, "jetstream": {"store_dir": f"{folder}/data", **sizes, **jetstream}})
            # The chart writes sizes without quotes, so that the server reads them as numbers with a unit.
            Path(folder, "nats.conf").write_text(re.sub(r'(max_\w+_store": )"(\w+)"', r"\1\2", text))
            done = subprocess.run(
                [SERVER, "-t", "--config", f"{folder}/nats.conf"], text=True, capture_output=True, check=False
            )
        return "" if done.returncode == 0 else done.stdout + done.stderr or "refused"

    def test_it_is_large_enough_for_the_streams(self) -> None:
        table = (ROOT / "docs/PIPELINE.md").read_text()
        streams = re.findall(r"^\| ([A-Z]+) \| .* \| (\d+) MiB \| .* \| (file|memory) \|$", table, re.MULTILINE)
        self.assertGreater(len(streams), 8)
        reserved = {kind: sum(int(size) for _, size, where in streams if where == kind) for kind in ("file", "memory")}
        # A fifth of the volume stays free.
        self.assertGreaterEqual(mebibytes(self.jetstream["fileStore"]["pvc"]["size"]) * 0.8, reserved["file"])
        self.assertGreaterEqual(mebibytes(self.jetstream["memoryStore"]["maxSize"]), reserved["memory"])

    def test_it_is_what_the_chart_expects(self) -> None:
        values = yaml.safe_load((CHART / "values.yaml").read_text())["nats"]
        # Three replicas of each stream; KEDA asks each server at its monitoring port.
        self.assertEqual(values["profile"], "cluster")
        self.assertEqual(self.values["config"]["cluster"], {"enabled": True, "replicas": 3})
        self.assertTrue(self.values["config"]["monitor"]["enabled"] and values["monitoring"].endswith(":8222"))
        image = re.search(r":-(.*)\}", COMPOSE["nats"]["image"]).group(1)  # type: ignore[union-attr]
        self.assertEqual(f"nats:{self.values['container']['image']['tag']}", image)
        limit = mebibytes(self.values["container"]["merge"]["resources"]["limits"]["memory"])
        self.assertAlmostEqual(mebibytes(self.values["container"]["env"]["GOMEMLIMIT"]) / limit, 0.85, delta=0.03)


if __name__ == "__main__":
    unittest.main()
