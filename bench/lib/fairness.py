"""Two hundred repositories at once, one of them large: how long the small ones take, against their time alone.

Three times the same small repositories, each time in a fresh system: one after the other on an idle one, all at once,
and all at once together with the large one, which is asked for first. The last system then gets the same crowd once
more, with other paths and therefore new work: whose memory is flat needs no more for it than for the first.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
import programs
import report
from children import spawn
from memory import Memory, Series, processor_seconds, tree
from product import Product
from servers import Broker, is_below, run_below, servers_of_this_run

SMALLEST, LARGEST = 20, 120
GOAL = 3.0
PATIENCE = 600.0
# Seconds after the last run until the memory that remains is read.
SETTLED = 10.0
# Transitions of a run, in order.
MILESTONES = ("clone_started", "cloned", "analysed", "indexed", "document_planned", "document_completed")
# Streams whose messages are work.
KEPT = ("EVENTS", "CONTROL")


class GitServer:
    """caffeine-git-http over a folder of repositories."""

    def __init__(self, program: Path, root: Path):
        self.process = spawn([program, root], stdout=-1, stderr=-3, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the git server does not start")
        self.host = self.url.removeprefix("http://")


class Round:
    """A fresh system for one of the three measurements."""

    def __init__(self, built: Path, folder: Path, git: GitServer, broker: Broker):
        self.git, self.broker = git, broker
        self.product = Product(built, folder, git.host, "production")
        self.product.start()
        # The first run of a system pays for connections, prepared statements and the model's table.
        self.run_all(["warm-up"])

    def url(self, name: str) -> str:
        return f"{self.git.url}/{name}.git"

    def run_all(self, names: list[str]) -> dict[str, float]:
        """Asks for all at once; returns seconds from the request to the end of the run, by name."""
        with ThreadPoolExecutor(16) as threads:
            runs = dict(zip(names, threads.map(lambda name: self.product.submit(self.url(name)), names)))
        missing = self.product.wait(list(runs.values()), PATIENCE, pause=0.2)
        if missing:
            raise RuntimeError(f"{len(missing)} runs do not end; see {self.product.folder}")
        query = "SELECT run_id::text, state, extract(epoch FROM ended_at - created_at)::float8 FROM runs"
        rows = {run: (state, seconds) for run, state, seconds in self.product.rows.execute(query).fetchall()}
        for name, run in runs.items():
            if rows[run][0] != "completed":
                raise RuntimeError(f"{name} ended as {rows[run][0]}; see {self.product.folder}")
        return {name: rows[run][1] for name, run in runs.items()}

    def milestones(self, names: list[str]) -> dict[str, float]:
        """p95 of the seconds from the request until each stage had been passed, over these repositories."""
        query = """
            SELECT split_part(transition, '/', 1), extract(epoch FROM occurred_at - runs.created_at)::float8
            FROM run_events JOIN runs USING (run_id) JOIN repositories USING (repository_id) WHERE url = ANY(%s)"""
        passed: dict[str, list[float]] = {}
        for transition, seconds in self.product.rows.execute(query, [[self.url(name) for name in names]]).fetchall():
            passed.setdefault(transition, []).append(seconds)
        return {stage: report.percentile(passed.get(stage, []), 0.95) for stage in MILESTONES}

    def left(self) -> dict[str, int]:
        """Messages in the streams of work; the last acknowledgements may still be on their way."""
        begin = time.monotonic()
        while True:
            stored = self.broker.stored(self.product.prefix)
            work = {stream: count for stream, count in stored.items() if stream not in KEPT}
            if not any(work.values()) or time.monotonic() - begin > 10:
                return work
            time.sleep(0.2)

    def lanes(self) -> dict[str, int]:
        return dict(self.product.rows.execute("SELECT lane, count(*) FROM clone_runs GROUP BY lane").fetchall())

    def processor_seconds(self) -> dict[str, float]:
        return {name: sum(map(processor_seconds, pids)) for name, pids in self.processes().items()}

    def processes(self) -> dict[str, list[int]]:
        services = {name: [process.pid] for name, process in self.product.processes.items()}
        nats, postgres = servers_of_this_run()
        return services | {"nats-server": [nats], "PostgreSQL": tree(postgres)}


def again(name: str) -> str:
    """The repository with the same files at other paths."""
    return f"{name}-again"


def make_repositories(root: Path, count: int, large: int) -> tuple[list[str], dict[str, int]]:
    """The small ones' names, and how many files there are."""
    cut = corpus.small(count, SMALLEST, LARGEST)
    names = [f"small-{number:03}" for number in range(count)]
    for name, files in zip([*names, "large"], [*cut, corpus.sources(large)[:large]]):
        corpus.write(root / f"{name}.git", files)
        corpus.write(root / f"{again(name)}.git", [(f"again/{path}", file) for path, file in files])
    corpus.write(root / "warm-up.git", corpus.sources(SMALLEST)[:SMALLEST])
    return names, {"small": sum(map(len, cut)), "large": large}


def spread(seconds: list[float]) -> dict[str, float]:
    return {
        "count": len(seconds),
        "p50": report.percentile(seconds, 0.50),
        "p95": report.percentile(seconds, 0.95),
        "max": max(seconds),
    }


def measure(built: Path, folder: Path, arguments: argparse.Namespace, git: GitServer, names: list[str]) -> dict:
    broker = Broker()
    result: dict = {}

    round_ = Round(built, folder, git, broker)
    # Every n-th, so that small and less small ones are among them.
    chosen = names[:: max(1, len(names) // arguments.alone)][: arguments.alone]
    alone = {}
    for name in chosen:
        alone |= round_.run_all([name])
        report.progress(f"{len(alone)} of {len(chosen)} alone")
    result["alone"] = {"seconds": alone, "left": round_.left(), "lanes": round_.lanes(),
                       "milestones": round_.milestones(chosen)}  # fmt: skip
    round_.product.close()

    for what, large in (("together", []), ("with_large", ["large"])):
        round_ = Round(built, folder, git, broker)
        crowd = [*large, *names]
        memory = Memory(round_.processes)
        report.progress("all at once" + (" with the large one" if large else ""))
        before, begin = round_.processor_seconds(), time.monotonic()
        seconds = round_.run_all(crowd)
        wall, after = time.monotonic() - begin, round_.processor_seconds()
        waves = [memory.stop()]
        result[what] = {
            "seconds": {name: seconds[name] for name in names},
            "large_seconds": seconds.get("large"),
            "wall": wall,
            "lanes": round_.lanes(),
            "milestones": round_.milestones(names),
            "processor_seconds": {name: after[name] - taken for name, taken in before.items()},
        }
        if large:
            report.progress("the same crowd again")
            memory = Memory(round_.processes)
            round_.run_all([again(name) for name in crowd])
            time.sleep(SETTLED)
            waves.append(memory.stop())
        result[what]["memory"] = [{name: vars(samples) for name, samples in wave.items()} for wave in waves]
        result[what]["left"] = round_.left()
        round_.product.check()
        round_.product.close()
    report.progress("")
    return result


def print_result(result: dict, chosen: int) -> None:
    spreads = {what: spread(list(result[what]["seconds"].values())) for what in ("alone", "together", "with_large")}
    names = {
        "alone": f"alone: {chosen} of them, one after the other",
        "together": "all small ones at once",
        "with_large": "all small ones at once, and the large one",
    }
    rows = [
        [names[what], one["count"], one["p50"], one["p95"], one["max"], result[what].get("wall")]
        for what, one in spreads.items()
    ]
    report.table(["seconds from request to end of the run", "runs", "p50", "p95", "max", "wall"], rows)
    print(f"the large one: {result['with_large']['large_seconds']:.1f} s")
    print(f"lanes of the runs, with the large one: {result['with_large']['lanes']}\n")

    rows = [[names[what], *result[what]["milestones"].values()] for what in names]
    report.table(["p95 of the seconds until", *(stage.replace("_", " ") for stage in MILESTONES)], rows)
    print()

    alone, together, mixed = spreads["alone"], spreads["together"], spreads["with_large"]
    by_itself = [result["with_large"]["seconds"][name] / seconds for name, seconds in result["alone"]["seconds"].items()]
    print(f"p95 with the large one ÷ p95 without it:          {mixed['p95'] / together['p95']:.2f} (goal: at most {GOAL:g})")
    print(f"p50 with the large one ÷ p50 without it:          {mixed['p50'] / together['p50']:.2f}")
    print(f"p95 with the large one ÷ p95 alone on an idle one: {mixed['p95'] / alone['p95']:.1f}")
    print(f"p95 without the large one ÷ p95 alone:             {together['p95'] / alone['p95']:.1f}")
    print(f"median of each one's time in the crowd ÷ its own time alone: {report.median(by_itself):.1f}")
    print("The first says what the large one costs the others. The others also hold what any crowd costs on these processors.")


def print_resources(measured: dict) -> None:
    print()
    rows = []
    first, second = ({name: Series(**samples) for name, samples in wave.items()} for wave in measured["memory"])
    for name in first:
        peaks = [max(wave[name].proportional) / 1e6 for wave in (first, second)]
        # The sum over PostgreSQL's processes would count their shared pages many times.
        resident = None if name == "PostgreSQL" else max(first[name].resident) / 1e6
        before, after = first[name].proportional[0] / 1e6, second[name].proportional[-1] / 1e6
        rows.append([
            name, before, peaks[0], peaks[1], after, peaks[1] / peaks[0], resident, measured["processor_seconds"][name]
        ])  # fmt: skip
    head = ["memory in MB", "before", "first crowd", "second", "after", "second ÷ first", "max resident", "CPU s"]
    report.table(head, rows)
    print("Of the runs with the large one: largest proportional size while each crowd was worked on, and what remains")
    print(f"{SETTLED:g} s afterwards. Second ÷ first: 1 is flat. Resident size and processor time: of the first crowd.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/fairness", description=__doc__.split("\n\n")[0])
    parser.add_argument("--small", type=int, default=199, help="small repositories (199)")
    parser.add_argument("--large", type=int, default=20_000, help="files of the large one (20,000)")
    parser.add_argument("--alone", type=int, default=24, help="how many are also measured alone (24)")
    parser.add_argument("--debug", action="store_true", help="a debug build: for trying it out, not to measure")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they lie there")
    arguments = parser.parse_args()
    built = programs.folder(not arguments.debug)
    if not is_below():
        if not arguments.no_build:
            programs.build(not arguments.debug)
        run_below(built, Path(__file__), sys.argv[1:])
    folder = report.RESULTS / "fairness"
    # The repositories stay: making them takes longer than a measurement.
    names, files = make_repositories(report.RESULTS / "repositories", arguments.small, arguments.large)
    shutil.rmtree(folder, ignore_errors=True)
    about = report.machine(not arguments.debug)
    git = GitServer(built / "caffeine-git-http", report.RESULTS / "repositories")
    begin = time.monotonic()
    result = measure(built, folder, arguments, git, names)
    report.print_machine(about)
    print(f"{len(names)} small repositories of {files['small']} files in all, a large one of {files['large']} files\n")
    print_result(result, len(result["alone"]["seconds"]))
    print_resources(result["with_large"])
    left = {what: sum(result[what]["left"].values()) for what in ("alone", "together", "with_large")}
    print(f"\nmessages left in the streams (work, transitions, dead letters): {left}")
    report.keep("fairness", {"machine": about, "seconds": time.monotonic() - begin, "files": files, **result})
    if any(left.values()):
        sys.exit("messages are left: something was lost sight of, or buried")


if __name__ == "__main__":
    main()
