"""The older stack under kills: Celery workers over Redis. `baseline/bench.py` measures the same in its part `kill`; here
it is one kill at a time, so that both sides can take turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis
from celery import Celery

from children import kill_group, spawn
from product import free_port

BASELINE = Path(__file__).resolve().parent.parent / "baseline"
TASK = "app.worker.sleepy"


class Redis:
    """redis-server in a folder of its own, with its own defaults unless options say otherwise."""

    def __init__(self, folder: Path, *options: str):
        folder.mkdir(parents=True)
        self.port = free_port()
        self.folder = folder
        self.command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), *options]
        self.start()

    def start(self) -> float:
        """Starts it and returns how long it took to answer, in seconds."""
        begin = time.monotonic()
        with open(self.folder / "redis.log", "ab") as log:
            self.process = spawn(self.command, stdout=log, stderr=log)
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - begin > 60:
                raise RuntimeError(f"redis-server does not start; see {self.folder}")
            time.sleep(0.005)
        return time.monotonic() - begin

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def client(self, database: int = 0) -> redis.Redis:
        return redis.Redis(port=self.port, db=database)

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        try:
            return self.client().ping()
        except redis.RedisError:
            return False


@dataclass(frozen=True)
class Settings:
    """How the older stack is set."""

    acks_late: bool = False
    reject_on_worker_lost: bool = False
    # Seconds; the default of Celery's Redis transport. Below a minute it also sweeps every second and not every 100.
    visibility: int = 3600
    # After this silence nothing more is expected, in seconds, besides a short visibility timeout.
    patience: float = 3.0


DEFAULTS = Settings()
TUNED = Settings(acks_late=True, reject_on_worker_lost=True, visibility=5, patience=15.0)


class Worker:
    """A Celery worker with two processes, on a database of its own."""

    def __init__(self, server: Redis, database: int, settings: Settings):
        self.settings = settings
        self.client = server.client(database)
        self.queue = Celery("bench", broker=server.url(database), backend=server.url(database))
        self.log = server.folder / f"celery-{database}.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(BASELINE),
            "BL_REDIS": server.url(database),
            "BL_ACKS_LATE": str(int(settings.acks_late)),
            "BL_REJECT": str(int(settings.reject_on_worker_lost)),
            "BL_VISIBILITY": str(settings.visibility),
            "OMP_NUM_THREADS": "1",
        }
        # As baseline/stack.py starts it. Root is what these containers run as.
        self.command = [
            str(Path(sys.executable).parent / "celery"), "-A", "app.worker", "worker", "-c", "2", "-P", "prefork",
            "-l", "WARNING", "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        """Starts it and shows that it works."""
        with open(self.log, "ab") as log:
            self.process = spawn(
                self.command, env=self.environment, cwd=self.log.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.queue.send_task("app.worker.hop", [time.time()]).get(timeout=60)

    def submit(self, key: str, seconds: float) -> None:
        self.queue.send_task(TASK, [key, seconds])

    def kill_all(self) -> None:
        """SIGKILL to the worker and its pool at once."""
        kill_group(self.process)

    def kill_child(self) -> None:
        """SIGKILL to one process of the pool."""
        psutil.Process(self.process.pid).children()[0].kill()

    def stop(self) -> None:
        self.kill_all()

    def reported(self, what: str, kill: int | str) -> list[str]:
        """The keys of a kill's tasks in a list that tasks write: `started` or `done`."""
        keys = (key.decode() for key in self.client.lrange(what, 0, -1))
        return [key for key in keys if key.startswith(f"{kill}.")]

    def waiting(self) -> int:
        """Tasks that Redis still has, and that come again some day."""
        return self.client.hlen("unacked") + self.client.llen("celery")

    def forget(self) -> None:
        """Whatever waits is not part of the next kill."""
        self.client.delete("started", "done", "unacked", "unacked_index", "celery")
