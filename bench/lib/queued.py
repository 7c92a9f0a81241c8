"""The broker killed with SIGKILL while jobs are queued, on both sides."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from celery import Celery

import report
from older import Redis
from product import WORKERS, Product
from servers import Broker
from slow_git import SlowGit

JOBS = 90


@dataclass
class Queued:
    """What one kill of the broker led to."""

    queued: int
    # In the broker after it was started again.
    left: int
    # How long it took to answer again, in seconds.
    restart: float
    # Done in the end, counted where the side can still do them.
    done: int | None = None

    @property
    def lost(self) -> int:
        return self.queued - self.left


def kill_redis(server: Redis) -> Queued:
    """Nobody reads; a snapshot of the empty server is on the disk, as after a quiet time."""
    client = server.client()
    client.flushall()
    client.save()
    queue = Celery("bench", broker=server.url(), backend=server.url())
    for _ in range(JOBS):
        queue.send_task("app.worker.hop", [0])
    queued = client.llen("celery")
    queue.close()
    server.kill()
    restart = server.start()
    return Queued(queued, server.client().llen("celery"), restart)


def kill_nats(product: Product, git: SlowGit, broker: Broker, number: int) -> Queued:
    """No worker runs; the jobs are asked for through the API, and the kill comes when all are in the broker."""
    urls = [f"http://{git.host}/{product.prefix}/queued/{number}/{job}/repository.git" for job in range(JOBS)]
    with ThreadPoolExecutor(8) as threads:
        runs = list(threads.map(product.submit, urls))
    begin = time.monotonic()
    while (queued := broker.stored(product.prefix)["CLONE"]) < JOBS:
        if time.monotonic() - begin > 60:
            raise RuntimeError(f"the gateway does not publish; see {product.folder}")
        time.sleep(0.02)
    broker.kill()
    restart = broker.start()
    left = broker.stored(product.prefix)["CLONE"]
    product.start(*WORKERS)
    missing = product.wait(runs, patience=180)
    product.kill(*WORKERS)
    states = product.states(runs)
    return Queued(queued, left, restart, done=sum(states[run] == "completed" for run in set(runs) - set(missing)))


def both_brokers(kills: int, folder: Path, built: Path, git: SlowGit, broker: Broker) -> dict[str, list[Queued]]:
    if broker.setting("sync_interval") != "always":
        raise RuntimeError("this nats-server does not write to the disk before it confirms")
    default = Redis(folder / "redis-default")
    append = Redis(folder / "redis-append", "--appendonly", "yes")
    product = Product(built, folder, git.host, "production", connections=4)
    product.start("gateway", "housekeeper")
    sides: dict[str, list[Queued]] = {
        "Redis, its defaults": [], "Redis, --appendonly yes": [], "nats-server, as the product runs it": [],
    }  # fmt: skip
    for number in range(kills):
        sides["Redis, its defaults"].append(kill_redis(default))
        sides["nats-server, as the product runs it"].append(kill_nats(product, git, broker, number))
        sides["Redis, --appendonly yes"].append(kill_redis(append))
        report.progress(f"broker kill {number + 1} of {kills}")
    report.progress("")
    product.close()
    default.stop()
    append.stop()
    return sides


def print_brokers(sides: dict[str, list[Queued]]) -> None:
    head = ["broker killed", "times", "queued", "left", "lost", "done then", "restart s"]
    rows = []
    for side, kills in sides.items():
        done = None if kills[0].done is None else sum(one.done for one in kills)
        rows.append([
            side, len(kills), sum(one.queued for one in kills), sum(one.left for one in kills),
            sum(one.lost for one in kills), done, report.median([one.restart for one in kills]),
        ])  # fmt: skip
    report.table(head, rows)
