"""Which metrics alerts and dashboards name, and which of them a scrape of a real run has."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
# Prometheus' own words, and what is no metric in an expression.
WORDS = {
    "sum",
    "max",
    "min",
    "count",
    "avg",
    "rate",
    "increase",
    "histogram_quantile",
    "by",
    "without",
    "and",
    "or",
    "unless",
    "absent",
    "time",
    "vector",
    "offset",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "inf",
    "nan",
}


def expressions() -> list[tuple[str, str]]:
    """(where it stands, expression) for every alert, recording rule and panel."""
    found = []
    for file in sorted((HERE / "rules").glob("*.rules.yml")):
        for group in yaml.safe_load(file.read_text())["groups"]:
            found += [(rule.get("alert") or rule["record"], rule["expr"]) for rule in group["rules"]]
    for file in sorted((HERE / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            found += [(f"{file.stem}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    return found


def named(expression: str) -> set[str]:
    """The metrics an expression names. Labels, strings, durations and grouping lists are taken away first."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\boffset\s+\w+", "", bare)
    return {word for word in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare) if word not in WORDS}


def wanted() -> dict[str, set[str]]:
    """Metric → where it is named. Recorded ones are made by the rules themselves."""
    found: dict[str, set[str]] = {}
    for place, expression in expressions():
        for name in named(expression):
            if ":" not in name:
                found.setdefault(name, set()).add(place)
    return found


def scraped(text: str) -> set[str]:
    return set(re.findall(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{| )", text, re.M))


def missing(have: set[str]) -> dict[str, set[str]]:
    """What is named somewhere and not among these."""
    return {name: places for name, places in sorted(wanted().items()) if name not in have | {"up"}}


def main() -> None:
    """metrics.py SCRAPE…: ends with an error if a metric that is named somewhere is in none of the scrapes."""
    absent = missing(set().union(*(scraped(Path(file).read_text()) for file in sys.argv[1:])))
    for name, places in absent.items():
        print(f"not scraped: {name}, named by {', '.join(sorted(places))}")
    print(f"{len(wanted()) - len(absent)} of {len(wanted())} metrics that alerts and dashboards name were scraped")
    sys.exit(bool(absent))


if __name__ == "__main__":
    main()
