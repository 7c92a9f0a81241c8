"""What the chart lets a pod do, and whom it lets in and out."""

from __future__ import annotations

import ipaddress
import re
import unittest

from chart import CHART, SETS, names, objects, of_kind, pods


class Hardening(unittest.TestCase):
    def test_pods_are_nobody(self) -> None:
        for values in SETS:
            for part, template, container in pods(values):
                pod = template["spec"]
                self.assertFalse(pod["automountServiceAccountToken"])
                self.assertTrue(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 65532)
                self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"], part)
                self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
                self.assertIn("memory", container["resources"]["limits"])

    def test_secrets_are_files(self) -> None:
        for values in SETS:
            for part, _, container in pods(values):
                for entry in container.get("env", []):
                    self.assertNotIn("valueFrom", entry)
                    if (
                        re.search(r"TOKEN|NKEY|DATABASE_URL|_KEY$|_KEY_FILE", entry["name"])
                        and "PUBLIC" not in entry["name"]
                    ):
                        self.assertTrue(entry["name"].endswith("_FILE"), entry["name"])

    def test_a_pod_has_its_own_identity_only(self) -> None:
        for values in SETS:
            for part, template, _ in pods(values):
                if part in ("migrate", "provision"):
                    continue
                keys = {
                    entry["key"]
                    for volume in template["spec"].get("volumes", [])
                    for entry in volume.get("secret", {}).get("items", [])
                    if "." in entry["key"]
                }
                self.assertLessEqual(keys, {f"{part}.nk", f"{part}.database-url"})

    def test_grace_is_longer_than_the_drain(self) -> None:
        for values in SETS:
            for part, template, container in pods(values):
                drain = {entry["name"]: entry.get("value") for entry in container.get("env", [])}.get(
                    "CAFFEINE_SHUTDOWN_GRACE_SECONDS"
                )
                if drain:
                    self.assertGreaterEqual(
                        template["spec"]["terminationGracePeriodSeconds"], int(drain) + 10 + 5 * (part == "gateway")
                    )

    def test_images_come_from_the_registry_of_the_house(self) -> None:
        for part, _, container in pods(CHART / "ci/airgapped-values.yaml"):
            self.assertRegex(
                container["image"], r"^registry\.corp/mirror/caffeinecode/[a-z-]+@sha256:[0-9a-f]{64}$", part
            )

    def test_every_pod_is_denied_by_default(self) -> None:
        for values in SETS:
            policies = of_kind(values, "NetworkPolicy")
            if not policies:
                self.assertEqual(values.name, "minimal-values.yaml")
                continue
            deny = next(policy["spec"] for policy in policies if policy["metadata"]["name"] == "caffeine-deny")
            self.assertEqual(sorted(deny["policyTypes"]), ["Egress", "Ingress"])
            self.assertFalse("ingress" in deny or "egress" in deny)
            for part, template, _ in pods(values):
                labels = template["metadata"]["labels"].items()
                self.assertLessEqual(deny["podSelector"]["matchLabels"].items(), labels, part)
            # Only who has to leave the house does.
            out = {name.removeprefix("caffeine-out-") for name in names(policies) if "-out-" in name}
            with_model = values.name in ("airgapped-values.yaml", "keda-values.yaml")
            with_sign_in = values.name == "keda-values.yaml"
            wanted = ["cloner", *["doc-writer"] * with_model, *["gateway"] * with_sign_in]
            self.assertEqual(out, set(wanted), values.name)

    def test_way_out_does_not_lead_into_the_house(self) -> None:
        for policy in of_kind(CHART / "ci/keda-values.yaml", "NetworkPolicy"):
            if "-out-" not in policy["metadata"]["name"]:
                continue
            for rule in policy["spec"]["egress"]:
                nets = [ipaddress.ip_network(net) for peer in rule["to"] for net in peer["ipBlock"]["except"]]
                for address in ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"):
                    self.assertTrue(any(ipaddress.ip_address(address) in net for net in nets), address)
                self.assertFalse(any(ipaddress.ip_address("140.82.121.4") in net for net in nets))

    def test_hooks_may_go_where_they_must(self) -> None:
        """Their policy is there before them: a hook too, and an earlier one."""
        for values in SETS:
            hooks = [
                item["metadata"]
                for item in objects(values)
                if "helm.sh/hook" in item["metadata"].get("annotations", {})
            ]
            order = {hook["name"]: int(hook["annotations"]["helm.sh/hook-weight"]) for hook in hooks}
            if values.name != "minimal-values.yaml":
                self.assertEqual(
                    sorted(order, key=lambda name: order[name]),
                    ["caffeine-hooks", "caffeine-migrate", "caffeine-provision"],
                )

    def test_a_node_can_be_emptied(self) -> None:
        for values in SETS:
            limits = {item["metadata"]["name"]: item["spec"] for item in of_kind(values, "PodDisruptionBudget")}
            least = {
                item["spec"]["scaleTargetRef"]["name"]: item["spec"]["minReplicas"]
                for item in of_kind(values, "HorizontalPodAutoscaler")
            }
            for item in of_kind(values, "Deployment"):
                name = item["metadata"]["name"]
                if name not in limits:
                    continue
                self.assertEqual(limits[name]["unhealthyPodEvictionPolicy"], "AlwaysAllow")
                if "minAvailable" in limits[name]:
                    self.assertGreater(
                        item["spec"].get("replicas", least.get(name)), limits[name]["minAvailable"], name
                    )

    def test_mirrors_fit_into_their_volume(self) -> None:
        sizes = {"20Gi": 20 * 2**30, "200Gi": 200 * 2**30}
        for values in SETS:
            for part, template, container in pods(values):
                if part != "cloner":
                    continue
                volume = next(volume for volume in template["spec"]["volumes"] if volume["name"] == "mirrors")
                size = re.search(r"'(\d+Gi)'", str(volume)).group(1)  # type: ignore[union-attr]
                self.assertEqual(
                    int(self.variable(container, "CAFFEINE_CLONER_MAX_MIRROR_BYTES")), sizes[size] * 3 // 4, size
                )

    @staticmethod
    def variable(container: dict, name: str) -> str:
        return next(entry["value"] for entry in container["env"] if entry["name"] == name)

    def test_number_of_pods_has_one_master(self) -> None:
        for values in SETS:
            scaled = {
                item["spec"]["scaleTargetRef"]["name"]
                for item in of_kind(values, "ScaledObject", "HorizontalPodAutoscaler")
            }
            for item in of_kind(values, "Deployment"):
                self.assertNotEqual(
                    "replicas" in item["spec"], item["metadata"]["name"] in scaled, item["metadata"]["name"]
                )


if __name__ == "__main__":
    unittest.main()
