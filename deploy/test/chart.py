"""The chart as tests see it: rendered with each value set, and the pods in it."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/caffeinecode"
HELM = str(ROOT / ".tools/bin/helm")
PROGRAM = os.environ["CAFFEINE"]
SETS = sorted((CHART / "ci").glob("*-values.yaml"))


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HELM, *arguments], text=True, capture_output=True, check=False)


@cache
def objects(values: Path) -> list[dict]:
    done = helm("template", "caffeine", str(CHART), "--namespace", "caffeine", "--values", str(values))
    if done.returncode != 0:
        sys.exit(f"{values.name}: {done.stderr}")
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def of_kind(values: Path, *kinds: str) -> list[dict]:
    return [item for item in objects(values) if item["kind"] in kinds]


def names(items: list[dict]) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def pods(values: Path) -> list[tuple[str, dict, dict]]:
    """Every pod: its part, its template and its only container."""
    found = []
    for item in of_kind(values, "Deployment", "Job"):
        template = item["spec"]["template"]
        assert len(template["spec"]["containers"]) == 1
        found.append(
            (template["metadata"]["labels"]["app.kubernetes.io/component"], template, template["spec"]["containers"][0])
        )
    return found


def caffeine(*arguments: str, **environment: str) -> str:
    base = {"PATH": os.environ["PATH"], "HOME": "/"}
    done = subprocess.run(
        [PROGRAM, *arguments], text=True, capture_output=True, check=False, env={**base, **environment}
    )
    return done.stdout + done.stderr
