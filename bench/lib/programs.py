"""The product's programs: built here, so that a bench never measures an older state of the checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

# All of the product, and what serves the benches.
PROGRAMS = ("caffeine", "caffeine-git-http", "caffeine-with-servers")

ROOT = Path(__file__).resolve().parent.parent.parent


def build(release: bool) -> Path:
    """Builds the programs and returns the folder they lie in."""
    command = ["cargo", "build", "--quiet", "--locked", "--workspace"]
    command += [argument for program in PROGRAMS for argument in ("--bin", program)]
    if release:
        command.append("--release")
    subprocess.run(command, cwd=ROOT, check=True)
    return folder(release)


def folder(release: bool) -> Path:
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    )
    target = Path(json.loads(metadata.stdout)["target_directory"])
    return target / ("release" if release else "debug")


def revision() -> str:
    """The commit of the checkout, with a + if files differ from it."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
