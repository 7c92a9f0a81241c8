"""A task that is longer than the tuned older stack's visibility timeout, and nobody is killed: how often is it done?

The price of a short visibility timeout: Celery on Redis has no sign of life of a task, so one that outlasts the timeout
is given to somebody else while it still runs.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import report
from older import Worker
from product import Product
from slow_git import SlowGit

SECONDS = 12.0
KEY = "long"
PATIENCE = 120.0


def run_older(worker: Worker) -> tuple[int, int]:
    """How often the task was begun and how often it was done, once Redis has nothing of it any more."""
    worker.submit(f"{KEY}.0", SECONDS)
    begin = time.monotonic()
    while time.monotonic() - begin < PATIENCE:
        begun, done = (len(worker.reported(what, KEY)) for what in ("started", "done"))
        if done and begun == done and not worker.waiting():
            break
        time.sleep(0.1)
    return begun, done


def run_product(product: Product, git: SlowGit) -> tuple[int, int]:
    """How often the repository was fetched and how many snapshots of it there are."""
    address = f"{product.prefix}/{KEY}/repository.git"
    run = product.submit(f"http://{git.host}/{address}")
    if product.wait([run], PATIENCE):
        raise RuntimeError(f"a long clone does not end; see {product.folder}")
    return len(git.of(address).begun), product.effects(run)["snapshots"]


def long_tasks(older: dict[str, Worker], product: dict[str, Product], git: SlowGit) -> dict[str, tuple[int, int]]:
    """All sides at once: they do nothing but wait."""
    usual, git.seconds = git.seconds, SECONDS
    with ThreadPoolExecutor(len(older) + len(product)) as threads:
        asked = {side: threads.submit(run_older, worker) for side, worker in older.items()}
        asked |= {side: threads.submit(run_product, system, git) for side, system in product.items()}
        results = {side: future.result() for side, future in asked.items()}
    git.seconds = usual
    return results


def print_long_tasks(results: dict[str, tuple[int, int]]) -> None:
    head = [f"one task of {SECONDS:g} s, nobody killed", "begun", "done"]
    report.table(head, [[side, begun, done] for side, (begun, done) in results.items()])
