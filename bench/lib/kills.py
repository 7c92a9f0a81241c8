"""The same kills on both sides: workers killed with SIGKILL in the middle of jobs, and the broker with jobs queued.

Both sides get, per kill, six tasks of which two run when the kill comes, and the workers are started again at once.
"""

from __future__ import annotations

import argparse
import queue
import shutil
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import corpus
import programs
import report
from long_task import long_tasks, print_long_tasks
from older import DEFAULTS, TUNED, Redis, Worker
from product import WORKERS, Product
from queued import Queued, both_brokers, print_brokers
from servers import Broker, is_below, run_below
from slow_git import SlowGit

TASKS = 6
RUNNING = 2
SECONDS = 0.6
# The kill comes so long after both tasks have begun.
INTO_THE_TASK = 0.2
# Systems with production timings, so that the others need not wait for their ack wait.
PRODUCTION_SYSTEMS = 5
# Above the longest ack wait of the table, and above the test profile's 2 s.
PATIENCE = {"production": 120.0, "test": 30.0}


@dataclass
class Kill:
    """What one kill led to."""

    tasks: int
    # In the middle of it when the kill came.
    running: int
    done: int = 0
    # Nobody has them any more.
    lost: int = 0
    # Still stored, but not taken up while the bench waited.
    stuck: int = 0
    # Done twice, with their effects twice.
    doubled: int = 0
    # Begun again, as those must be that were killed.
    again: int = 0
    # From the kill until everything was done; None if that did not come.
    recovered: float | None = None


def kill_older(worker: Worker, number: int, whole: bool) -> Kill:
    worker.client.delete("started", "done")
    for task in range(TASKS):
        worker.submit(f"{number}.{task}", SECONDS)
    begin = time.monotonic()
    while len(worker.reported("started", number)) < RUNNING:
        if time.monotonic() - begin > 60:
            raise RuntimeError("the older worker takes no tasks")
        time.sleep(0.01)
    time.sleep(INTO_THE_TASK)
    begun, ended = worker.reported("started", number), worker.reported("done", number)
    kill = Kill(TASKS, len(begun) - len(ended))
    killed_at = time.monotonic()
    if whole:
        worker.kill_all()
        worker.start()
    else:
        worker.kill_child()
    settings = worker.settings
    patience = settings.patience + (settings.visibility if settings.visibility < 60 else 0)
    last, quiet_since = -1, time.monotonic()
    while time.monotonic() - quiet_since < patience and len(set(worker.reported("done", number))) < TASKS:
        reports = len(worker.reported("started", number)) + len(worker.reported("done", number))
        if reports != last:
            last, quiet_since = reports, time.monotonic()
        time.sleep(0.02)
    done = worker.reported("done", number)
    if len(set(done)) == TASKS:
        kill.recovered = time.monotonic() - killed_at
    waiting = worker.waiting()
    begun = worker.reported("started", number)
    kill.done = len(set(done))
    kill.stuck = min(waiting, TASKS - kill.done)
    kill.lost = TASKS - kill.done - kill.stuck
    kill.doubled = len(done) - len(set(done))
    kill.again = len(begun) - len(set(begun))
    worker.forget()
    return kill


class Killed:
    """A product system between its kill and the end of all six runs."""

    def __init__(self, product: Product, git: SlowGit, number: int):
        self.product, self.git = product, git
        self.addresses = [f"{product.prefix}/{number}/{task}/repository.git" for task in range(TASKS)]
        self.runs = [product.submit(f"http://{git.host}/{address}") for address in self.addresses]
        begin = time.monotonic()
        while len(git.running(self.addresses)) < RUNNING:
            if time.monotonic() - begin > 60:
                raise RuntimeError(f"the cloner takes no jobs; see {product.folder}")
            product.check()
            time.sleep(0.01)
        time.sleep(INTO_THE_TASK)
        self.running = len(git.running(self.addresses))
        self.killed_at = time.monotonic()
        product.kill(*WORKERS)
        product.start(*WORKERS)

    def outcome(self, broker: Broker, expected: dict[str, int], patience: float) -> Kill:
        missing = self.product.wait(self.runs, patience, pause=0.02)
        kill = Kill(TASKS, self.running, done=TASKS - len(missing))
        if missing:
            stored = broker.stored(self.product.prefix)
            kill.stuck = min(len(missing), stored["CLONE"] + stored["FILES"] + stored["CHUNKS"] + stored["PLANS"])
            kill.lost = len(missing) - kill.stuck
        else:
            kill.recovered = time.monotonic() - self.killed_at
        for address, run in zip(self.addresses, self.runs):
            effects = self.product.effects(run)
            kill.doubled += any(effects[what] > count for what, count in expected.items())
            kill.again += len(self.git.of(address).begun) - 1
            if run not in missing and any(effects[what] < count for what, count in expected.items()):
                raise RuntimeError(f"run {run} says that it is complete and is not: {effects}, expected {expected}")
        return kill


def undisturbed(product: Product, git: SlowGit) -> tuple[dict[str, int], float]:
    """What a run leads to, and how long its clone takes."""
    run = product.submit(f"http://{git.host}/{product.prefix}/undisturbed/repository.git")
    if product.wait([run], 60):
        raise RuntimeError(f"an undisturbed run does not end; see {product.folder}")
    clone = "SELECT extract(epoch FROM max(occurred_at) - min(occurred_at))::float8 FROM run_events"
    clone += " WHERE run_id = %s AND transition IN ('clone_started', 'cloned')"
    return product.effects(run), product.rows.execute(clone, [run]).fetchone()[0]


SIDES = (
    "older, defaults",
    "older, tuned",
    "older, defaults, one process",
    "older, tuned, one process",
    "product, production timings",
    "product, test timings",
)


class Systems:
    """Both sides, running: four older workers, and the product with either timings."""

    def __init__(self, kills: int, folder: Path, built: Path, git: SlowGit):
        self.redis = Redis(folder / "redis")
        self.whole = [Worker(self.redis, number, settings) for number, settings in enumerate((DEFAULTS, TUNED))]
        self.pools = [Worker(self.redis, number, settings) for number, settings in enumerate((DEFAULTS, TUNED), start=2)]
        self.fast = Product(built, folder, git.host, "test", connections=4)
        self.slow = [
            Product(built, folder, git.host, "production", connections=3)
            for _ in range(min(PRODUCTION_SYSTEMS, kills))
        ]  # fmt: skip
        for product in self.products():
            product.start()
            # The first run of a system also pays for its start.
            self.expected, self.clone_seconds = undisturbed(product, git)

    def products(self) -> list[Product]:
        return [self.fast, *self.slow]

    def close(self) -> None:
        for product in self.products():
            product.close()
        for worker in [*self.whole, *self.pools]:
            worker.stop()
        self.redis.stop()


def take_turns(kills: int, systems: Systems, git: SlowGit, broker: Broker) -> dict[str, list[Kill]]:
    """All sides, one kill after the other; the long waits of the production timings run on meanwhile."""
    free: queue.Queue[Product] = queue.Queue()
    for product in systems.slow:
        free.put(product)
    results: dict[str, list[Kill]] = {side: [] for side in SIDES}
    later: list[Future[Kill]] = []

    def recover(product: Product, killed: Killed) -> Kill:
        try:
            return killed.outcome(broker, systems.expected, PATIENCE["production"])
        finally:
            free.put(product)

    with ThreadPoolExecutor(len(systems.slow) + len(systems.pools)) as threads:
        for number in range(kills):
            product = free.get()
            later.append(threads.submit(recover, product, Killed(product, git, number)))
            results["older, defaults"].append(kill_older(systems.whole[0], number, whole=True))
            killed = Killed(systems.fast, git, number)
            results["product, test timings"].append(killed.outcome(broker, systems.expected, PATIENCE["test"]))
            # A process of a pool is forked anew, which takes no time: these two wait beside a third of their side.
            pools = [threads.submit(kill_older, worker, number, False) for worker in systems.pools]
            results["older, tuned"].append(kill_older(systems.whole[1], number, whole=True))
            results["older, defaults, one process"].append(pools[0].result())
            results["older, tuned, one process"].append(pools[1].result())
            report.progress(f"kill {number + 1} of {kills}")
        results["product, production timings"] = [future.result() for future in later]
    report.progress("")
    return results


def workers(arguments: argparse.Namespace, folder: Path, built: Path, git: SlowGit, broker: Broker) -> tuple[dict, dict]:
    """Everything about workers: their kills, and facts about what was done."""
    systems = Systems(arguments.kills, folder, built, git)
    results = take_turns(arguments.kills, systems, git, broker)
    long = long_tasks(
        {"older, defaults": systems.whole[0], "older, tuned": systems.whole[1]},
        {"product, production timings": systems.slow[0], "product, test timings": systems.fast},
        git,
    )
    facts = {
        "clone_seconds": systems.clone_seconds,
        "rows_of_a_run": systems.expected,
        "left_in_streams": left_over(broker, systems.products()),
        "long": long,
    }
    systems.close()
    return results, facts


def left_over(broker: Broker, systems: list[Product]) -> dict[str, int]:
    """Messages that should not be there any more: everything but progress and commands."""
    total: dict[str, int] = {}
    for system in systems:
        for stream, messages in broker.stored(system.prefix).items():
            if stream not in ("EVENTS", "CONTROL"):
                total[stream] = total.get(stream, 0) + messages
    return total


def summary(kills: list[Kill]) -> dict:
    recovered = [kill.recovered for kill in kills if kill.recovered is not None]
    total = {name: sum(getattr(kill, name) for kill in kills) for name in asdict(kills[0]) if name != "recovered"}
    return total | {
        "kills": len(kills),
        "recovered_kills": len(recovered),
        "recovery_median": report.median(recovered),
        "recovery_max": max(recovered, default=None),
    }


def print_kills(totals: dict[str, dict]) -> None:
    head = ["workers killed", "kills", "running", "done", "lost", "stuck", "doubled", "begun again",
            "recovered", "median s", "max s"]  # fmt: skip
    rows = []
    for side, total in totals.items():
        rows.append([
            side, total["kills"], total["running"], f"{total['done']}/{total['tasks']}",
            total["lost"], total["stuck"], total["doubled"], total["again"], f"{total['recovered_kills']}/{total['kills']}",
            total["recovery_median"], total["recovery_max"],
        ])  # fmt: skip
    report.table(head, rows)


def print_ratios(totals: dict[str, dict], brokers: dict[str, list[Queued]]) -> None:
    ours = totals["product, production timings"]
    print()
    for side in ("older, defaults", "older, tuned"):
        other = totals[side]
        gone = [(total["lost"] + total["stuck"]) / total["kills"] for total in (other, ours)]
        print(f"tasks lost or stuck per kill of all workers: {side} {gone[0]:.2f}, product {gone[1]:.2f}")
    for timings in ("production", "test"):
        ours, tuned = totals[f"product, {timings} timings"], totals["older, tuned"]
        if ours["recovery_median"] and tuned["recovery_median"]:
            ratio = ours["recovery_median"] / tuned["recovery_median"]
            print(f"time to recover, product with {timings} timings ÷ older, tuned: {ratio:.2f}")
    for side, repetitions in brokers.items():
        share = sum(one.lost for one in repetitions) / sum(one.queued for one in repetitions)
        print(f"share of queued jobs lost with the broker, {side}: {share:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench/kills", description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="kills per side (20)")
    parser.add_argument("--broker-kills", type=int, default=5, help="kills of the broker per side (5)")
    parser.add_argument("--debug", action="store_true", help="a debug build: for trying it out, not to measure")
    parser.add_argument("--no-build", action="store_true", help="take the programs as they lie there")
    arguments = parser.parse_args()
    built = programs.folder(not arguments.debug)
    if not is_below():
        if not arguments.no_build:
            programs.build(not arguments.debug)
        run_below(built, Path(__file__), sys.argv[1:])
    about = report.machine(not arguments.debug)
    folder = report.RESULTS / "kills"
    shutil.rmtree(folder, ignore_errors=True)
    corpus.write(folder / "git" / "repository.git", corpus.sources(12)[:12])
    broker = Broker()
    git = SlowGit(built / "caffeine-git-http", folder / "git", SECONDS)
    begin = time.monotonic()
    try:
        results, facts = workers(arguments, folder, built, git, broker)
        git.seconds = 0.0
        brokers = both_brokers(arguments.broker_kills, folder, built, git, broker)
    finally:
        git.close()
        broker.stop()
    totals = {side: summary(kills) for side, kills in results.items()}
    report.print_machine(about)
    print(f"{TASKS} tasks of {SECONDS} s per kill; the product's task is a clone of {facts['clone_seconds']:.2f} s\n")
    print_kills(totals)
    print(f"\nmessages left in the product's streams: {facts['left_in_streams']}\n")
    print_brokers(brokers)
    print()
    print_long_tasks(facts["long"])
    print_ratios(totals, brokers)
    report.keep("kills", {
        "machine": about, "seconds": time.monotonic() - begin, "totals": totals, "facts": facts,
        "kills": {side: [asdict(kill) for kill in kills] for side, kills in results.items()},
        "broker": {side: [asdict(one) for one in repetitions] for side, repetitions in brokers.items()},
    })  # fmt: skip
    wrong = {side: total for side, total in totals.items() if side.startswith("product")
             and (total["lost"] or total["stuck"] or total["doubled"])}  # fmt: skip
    if wrong or any(facts["left_in_streams"].values()):
        sys.exit("the product lost, doubled or left work behind")


main()
