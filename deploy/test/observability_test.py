"""What can be said of alerts and dashboards without Grafana: promtool's unit tests of every alert, the type of every
panel's question, provisioning, and that each alert has a runbook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy/observability"
sys.path.insert(0, str(HERE))
import metrics  # noqa: E402

RULES = sorted((HERE / "rules").glob("*.rules.yml"))
CASES = yaml.safe_load((HERE / "alert-cases.yml").read_text())
DASHBOARDS = sorted((HERE / "grafana/dashboards").glob("*.json"))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], text=True, capture_output=True, check=False)


def alerts() -> dict[str, dict]:
    rules = [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


class Alerts(unittest.TestCase):
    maxDiff = None

    def test_rules_and_configuration_are_read(self) -> None:
        done = promtool("check", "rules", *map(str, RULES))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = promtool("check", "config", "--syntax-only", str(HERE / "prometheus.yml"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_fires_and_is_quiet(self) -> None:
        known = alerts()
        self.assertEqual(set(CASES), set(known))
        tests = []
        for alert, cases in CASES.items():
            names = [name.split(" ")[0] for name in cases]
            self.assertTrue(
                "fires" in names and "quiet" in names,
                f"{alert} needs a history in which it fires and one in which it is quiet",
            )
            for name, case in cases.items():
                fires = name.startswith("fires")
                expected = [{"exp_labels": {**case["labels"], **known[alert]["labels"]}}] if fires else []
                tests.append(
                    {
                        "name": f"{alert} {name}",
                        "interval": "1m",
                        "input_series": [
                            {"series": series, "values": values} for series, values in case["series"].items()
                        ],
                        "alert_rule_test": [{"eval_time": case["at"], "alertname": alert, "exp_alerts": expected}],
                    }
                )
        self.assertEqual(self.outcome(tests), "")
        # The test can fail: what fires is not quiet.
        wrong = json.loads(json.dumps(tests[0]))
        wrong["alert_rule_test"][0]["exp_alerts"] = []
        self.assertIn(tests[0]["alert_rule_test"][0]["alertname"], self.outcome([wrong]))

    def outcome(self, tests: list[dict]) -> str:
        """What promtool complains of. Texts for people are left out: they hold values that the cases need not repeat."""
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for file in RULES:
                rules = yaml.safe_load(file.read_text())
                for rule in (rule for group in rules["groups"] for rule in group["rules"]):
                    rule.pop("annotations", None)
                files.append(Path(folder, file.name))
                files[-1].write_text(yaml.safe_dump(rules))
            plan = Path(folder, "tests.yml")
            plan.write_text(
                yaml.safe_dump(
                    {"rule_files": [str(file) for file in files], "evaluation_interval": "1m", "tests": tests}
                )
            )
            done = promtool("test", "rules", str(plan))
            return "" if done.returncode == 0 else done.stdout + done.stderr

    def test_each_has_a_runbook(self) -> None:
        for alert, rule in alerts().items():
            page = ROOT / rule["annotations"]["runbook"]
            self.assertTrue(page.exists(), f"{alert}: {page} is missing")
            self.assertIn(alert, page.read_text(), f"{page.name} does not speak of {alert}")
            self.assertIn(rule["labels"]["severity"], ("page", "ticket"))


class Dashboards(unittest.TestCase):
    def test_they_are_what_the_generator_says(self) -> None:
        done = subprocess.run([HERE / "generate-dashboards", "--check"], text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def questions(self) -> list[str]:
        found = [expression for place, expression in metrics.expressions() if ": " in place]
        # As Grafana fills them in.
        values = {"$__rate_interval": "1m", "$__range": "6h", "$stage": "chunker|cloner"}
        for name, value in values.items():
            found = [expression.replace(name, value) for expression in found]
        return found

    def check(self, expressions: list[str]) -> subprocess.CompletedProcess[str]:
        rules = [{"record": f"panel:{index}", "expr": expression} for index, expression in enumerate(expressions)]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
            file.flush()
            return promtool("check", "rules", file.name)

    def test_every_question_is_promql(self) -> None:
        questions = self.questions()
        self.assertGreater(len(questions), 50)
        self.assertFalse(
            [question for question in questions if "$" in question], "a variable that Grafana would not fill in"
        )
        done = self.check(questions)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotEqual(self.check([*questions, "rate(x)"]).returncode, 0)

    def test_panels_do_not_overlap(self) -> None:
        for file in DASHBOARDS:
            board = json.loads(file.read_text())
            taken: set[tuple[int, int]] = set()
            for panel in board["panels"]:
                at = panel["gridPos"]
                self.assertLessEqual(at["x"] + at["w"], 24)
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                self.assertFalse(cells & taken, (file.name, panel["title"]))
                taken |= cells
            self.assertEqual(board["uid"], f"caffeine-{file.stem}")

    def test_provisioning_leads_to_them(self) -> None:
        source = yaml.safe_load((HERE / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"][
            0
        ]
        provider = yaml.safe_load((HERE / "grafana/provisioning/dashboards/caffeine.yml").read_text())["providers"][0]
        compose = yaml.safe_load((ROOT / "deploy/compose/services.yaml").read_text())["services"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        self.assertTrue(set(compose["grafana"]["networks"]) & set(compose["prometheus"]["networks"]))
        mounts = {entry.split(":")[1]: entry.split(":")[0] for entry in compose["grafana"]["volumes"] if ":" in entry}
        self.assertEqual(
            (ROOT / "deploy/compose" / mounts[provider["options"]["path"]]).resolve(), HERE / "grafana/dashboards"
        )
        self.assertEqual(
            (ROOT / "deploy/compose" / mounts["/etc/grafana/provisioning"]).resolve(), HERE / "grafana/provisioning"
        )


class Metrics(unittest.TestCase):
    def test_names_are_found_in_expressions(self) -> None:
        expression = 'histogram_quantile(0.95, sum by (le, x) (rate(a_b_bucket{l=~"q|w"}[5m]))) / c{d="e"} offset 1h > 14.4 * 0.005'
        self.assertEqual(metrics.named(expression), {"a_b_bucket", "c"})
        self.assertEqual(metrics.scraped('# TYPE x counter\nx_total{a="b"} 1\ny 2\n'), {"x_total", "y"})

    def test_scrape_configuration_knows_every_service(self) -> None:
        configuration = yaml.safe_load((HERE / "prometheus.yml").read_text())
        names = set(configuration["scrape_configs"][0]["dns_sd_configs"][0]["names"])
        docs = (ROOT / "docs/configuration.md").read_text()
        sections = set(re.findall(r"section `\[([a-z-]+)\]`", docs))
        self.assertEqual(names, sections)


if __name__ == "__main__":
    unittest.main()
