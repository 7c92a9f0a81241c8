"""How well the search finds what is known to be there, and how fast: the programs of this checkout beside others."""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import corpus
import programs
import questions
import report
from fairness import GitServer
from product import Product
from questions import Question
from servers import is_below, run_below

PATIENCE = 900.0
FIRST = 10
# What the rules were tried on; all others were only measured.
TRIED_ON = ("this project", "tokio")
CRATES = ("tokio", "petgraph", "hyper", "reqwest", "clap_builder")
PYTHON = ("psycopg",)
# The right answer is none.
UNANSWERABLE = ("nonsense", "about something else")


def packages() -> dict[str, Path]:
    """Folders of packages whose text the embedding table has never seen, by name."""
    folders = corpus.make_corpus().source_folders()
    locked = {name.rsplit("-", 1)[0]: name for name in corpus.make_corpus().crates()}
    found = {name: folders[locked[name]] for name in CRATES if locked.get(name) in folders}
    site = next((Path(sys.prefix) / "lib").glob("python*/site-packages"))
    return found | {name: site / name for name in PYTHON}


def make_repositories(root: Path) -> dict[str, list[Question]]:
    """Bare repositories by name, and what is asked about each."""
    asked = {}
    for name, folder in packages().items():
        files, sentences = questions.documented(name, questions.read(folder))
        text = root / "text" / name
        shutil.rmtree(text, ignore_errors=True)
        for path, lines in files.items():
            (text / path).parent.mkdir(parents=True, exist_ok=True)
            (text / path).write_text("\n".join(lines), encoding="utf-8")
        written = [(path, text / path) for path in sorted(files)]
        corpus.make_corpus().write(root / f"{name}.git", written)
        asked[name] = sentences + questions.named(name, files)
    asked["this project"] = own_questions(root)
    for name in list(asked):
        seed = "tried on" if name in TRIED_ON else "only measured"
        asked[name] += questions.nonsense(f"{seed} {name}", 60)
        asked[name] += questions.about_something_else(name in TRIED_ON)
    return asked


def own_questions(root: Path) -> list[Question]:
    """About this project, which has more than a program: fixtures, generated files, two languages. What is asked is left
    out of it, or the question would find itself."""
    text = root / "text" / "this project"
    shutil.rmtree(text, ignore_errors=True)
    text.mkdir(parents=True)
    command = ["git", "-C", programs.ROOT, "archive", "HEAD", ".", ":!bench/questions.json", ":!bench/lib/questions.py"]
    archive = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", text], input=archive, check=True)
    paths = sorted(path for path in text.rglob("*") if path.is_file() and not path.is_symlink())
    corpus.make_corpus().write(root / "this project.git", [(path.relative_to(text).as_posix(), path) for path in paths])
    asked = questions.named("this project", questions.read(text))
    written = json.loads((programs.ROOT / "bench" / "questions.json").read_text())
    for kind, entries in written.items():
        asked += [Question(kind, question, [(path, 1, 1 << 30) for path in paths]) for question, paths in entries]
    return asked


class Side:
    """One set of programs with everything indexed."""

    def __init__(self, name: str, built: Path, folder: Path, git: GitServer, repositories: list[str]):
        self.name = name
        self.product = Product(built, folder, git.host, "production")
        self.product.start()
        runs = {}
        for repository in repositories:
            runs[repository] = self.product.submit(f"{git.url}/{quote(repository)}.git")
        begin = time.monotonic()
        if missing := self.product.wait(list(runs.values()), PATIENCE, pause=0.2):
            raise RuntimeError(f"{len(missing)} runs do not end; see {self.product.folder}")
        self.indexing = time.monotonic() - begin
        self.repositories = {}
        for repository, run in runs.items():
            row = self.product.rows.execute("SELECT repository_id::text, state FROM runs WHERE run_id = %s", [run])
            self.repositories[repository], state = row.fetchone()
            if state != "completed":
                raise RuntimeError(f"{repository} ended as {state}; see {self.product.folder}")
        self.product.rows.execute("ANALYZE")
        for service in [name for name in self.product.processes if name != "gateway"]:
            process = self.product.processes.pop(service)
            process.terminate()
            process.wait(30)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.product.port, timeout=60)

    def ask(self, repository: str, text: str) -> tuple[list[dict], float]:
        """The hits, and how long they took in seconds."""
        path = f"/api/v1/search?repository={self.repositories[repository]}&limit={FIRST}&q={quote(text, safe='')}"
        begin = time.monotonic()
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {self.product.token}"})
        answer = self.connection.getresponse()
        body = json.loads(answer.read())
        seconds = time.monotonic() - begin
        if answer.status != 200:
            raise RuntimeError(f"{text!r} is answered with {answer.status}: {body}")
        return body["items"], seconds

    def categories(self) -> dict[tuple[str, str], str]:
        rows = self.product.rows.execute("SELECT repository_id::text, path, category FROM file_versions").fetchall()
        return {(repository, path): category for repository, path, category in rows}


def rank(question: Question, items: list[dict]) -> int | None:
    for place, item in enumerate(items, start=1):
        if question.is_answered_by(item["path"], item["start_line"], item["end_line"]):
            return place
    return None


def measure(sides: list[Side], asked: dict[str, list[Question]]) -> list[dict]:
    """Every question to every side, in turns; each a row."""
    rows = []
    todo = [(name, question) for name, all_ in asked.items() for question in all_]
    random.Random(1).shuffle(todo)
    for number, (name, question) in enumerate(todo):
        row = {"repository": name, "kind": question.kind, "question": question.text, "sides": {}}
        for side in sides if number % 2 else sides[::-1]:
            items, seconds = side.ask(name, question.text)
            found = [f"{item['path']}:{item['start_line']}" for item in items]
            row["sides"][side.name] = {"rank": rank(question, items), "hits": len(items), "seconds": seconds, "found": found}
        rows.append(row)
        report.progress(f"{number + 1} of {len(todo)} questions")
    report.progress("")
    return rows


def figures(rows: list[dict], side: str) -> dict[str, float | None]:
    answers = [row["sides"][side] for row in rows]
    ranks = [answer["rank"] for answer in answers]
    seconds = [answer["seconds"] for answer in answers]
    count = len(ranks) or 1
    return {
        "mrr": sum(1 / place for place in ranks if place) / count,
        "recall": sum(place is not None for place in ranks) / count,
        "first": sum(place == 1 for place in ranks) / count,
        "empty": sum(not answer["hits"] for answer in answers) / count,
        "p50": 1000 * (report.percentile(seconds, 0.50) or 0),
        "p95": 1000 * (report.percentile(seconds, 0.95) or 0),
    }


def print_quality(rows: list[dict], sides: list[str], title: str) -> None:
    print(f"\n{title}")
    head = ["", "questions"]
    for what in ("MRR@10", "recall@10", "first"):
        head += [f"{what} {side}" for side in sides] + (["ratio"] if len(sides) > 1 else [])
    lines = []
    for kind in dict.fromkeys(row["kind"] for row in rows if row["kind"] not in UNANSWERABLE):
        chosen = [row for row in rows if row["kind"] == kind]
        by_side = [figures(chosen, side) for side in sides]
        line: list[object] = [kind, len(chosen)]
        for key in ("mrr", "recall", "first"):
            values = [f"{figure[key]:.3f}" for figure in by_side]
            line += values + ([f"{by_side[-1][key] / by_side[0][key]:.2f}" if by_side[0][key] else "–"] if len(sides) > 1 else [])
        lines.append(line)
    report.table(head, lines)
    answerable = [row for row in rows if row["kind"] not in UNANSWERABLE]
    for chosen, what in (
        *(([row for row in rows if row["kind"] == kind], f"{kind}: answered with nothing, as is right") for kind in UNANSWERABLE),
        (answerable, "all others: answered with nothing"),
    ):
        shares = ", ".join(f"{side} {figures(chosen, side)['empty']:.1%}" for side in sides)
        print(f"{what} ({len(chosen)} questions): {shares}")


def print_answers(sides: list[Side], rows: list[dict]) -> None:
    """What kinds of files stand among the first five of this project's questions."""
    known = {side.name: side.categories() for side in sides}
    chosen = [row for row in rows if row["repository"] == "this project" and row["kind"] not in UNANSWERABLE]
    lines = []
    kinds = sorted({category for of in known.values() for category in of.values()})
    for side in sides:
        paths = [hit.rsplit(":", 1)[0] for row in chosen for hit in row["sides"][side.name]["found"][:5]]
        of = [known[side.name].get((side.repositories["this project"], path), "–") for path in paths]
        lines.append([side.name, *[f"{of.count(kind) / (len(of) or 1):.1%}" for kind in kinds]])
    print("\nCategories of the first five hits, this project")
    report.table(["", *kinds], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="a folder of other programs: the other side")
    parser.add_argument("--debug", action="store_true", help="take the debug build: quality counts, times do not")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they are")
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards, until Ctrl-C")
    parser.add_argument("--programs", type=Path, help="where they lie, instead of the target folder")
    arguments = parser.parse_args()
    if arguments.programs:
        built = arguments.programs
    else:
        built = programs.folder(not arguments.debug) if arguments.no_build else programs.build(not arguments.debug)
    if not is_below():
        run_below(built, Path(__file__), sys.argv[1:])

    about = report.machine(not arguments.debug)
    folder = report.RESULTS.parent / "search"
    folder.mkdir(parents=True, exist_ok=True)
    asked = make_repositories(folder)
    git = GitServer(built / "caffeine-git-http", folder)
    sides = []
    try:
        for name, where in (("before", arguments.against), ("now", built)):
            if where:
                sides.append(Side(name, where, folder, git, list(asked)))
        rows = measure(sides, asked)
        names = [side.name for side in sides]
        report.print_machine(about)
        print_quality([row for row in rows if row["repository"] in TRIED_ON], names, "Repositories that the rules were tried on")
        print_quality([row for row in rows if row["repository"] not in TRIED_ON], names, "Repositories that were only measured")
        for name in asked:
            print_quality([row for row in rows if row["repository"] == name], names, name)
        print_answers(sides, rows)
        latency(rows, names)
        report.keep("search", {"machine": about, "rows": rows})
        if arguments.keep:
            for side in sides:
                print(f"{side.name}: {side.product.database_url} {json.dumps(side.repositories)}", flush=True)
            signal.pause()
    finally:
        for side in sides:
            side.connection.close()
            side.product.close()
        git.process.terminate()
        git.process.wait()


def latency(rows: list[dict], sides: list[str]) -> None:
    print("\nMilliseconds from the request to the answer")
    by_side = [figures(rows, side) for side in sides]
    lines = [[side, f"{figure['p50']:.1f}", f"{figure['p95']:.1f}"] for side, figure in zip(sides, by_side)]
    if len(sides) > 1:
        lines.append(["ratio", *[f"{by_side[-1][key] / by_side[0][key]:.2f}" for key in ("p50", "p95")]])
    report.table(["", "p50", "p95"], lines)


if __name__ == "__main__":
    main()
