"""make chart-test, second half: the chart's Deployments run, with podman for a cluster (kube_cluster.py).

1. A repository is documented through the frontend: nginx in its plain mode, before the gateway. What nginx has it serves.
2. While three repositories are worked on, followed and read, and small ones are added, a second pod of every Deployment but
   the frontend's is started and the first one terminated. No call may fail and nothing be lost or doubled: every row must be
   as in the undisturbed repository of the same content, and every event must have been seen once.
"""

from __future__ import annotations

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from client import Client
from kube_cluster import PORT, WORK, Cluster
from kube_load import Load
from podman import ROOT, commit, podman, run, sample_repository, say, until

STAGES = ("cloner", "chunker", "embedder", "doc-writer")
# All that is replaced under load.
PARTS = ("gateway", *STAGES, "housekeeper")
# Small repositories, one added every second.
SMALL = 60
# How much a stage has done for some runs.
BEGUN = {
    "cloner": "SELECT count(*) FROM clone_runs WHERE run_id IN ({runs})",
    "chunker": "SELECT count(*) FROM file_batches WHERE run_id IN ({runs})",
    "embedder": "SELECT count(*) FROM chunk_batches WHERE run_id IN ({runs})",
    "doc-writer": "SELECT count(*) FROM pages JOIN documents USING (document_id) WHERE run_id IN ({runs})",
}


def load_repositories() -> None:
    """The same content four times, of some hundred files, and a small one often."""
    bare = sample_repository(WORK / "git", "small")
    for number in range(SMALL):
        shutil.copytree(bare / "small.git", bare / f"{number}/small.git")
    work = WORK / "git/large"
    for folder in ("crates", "services"):
        shutil.copytree(ROOT / folder, work / folder, ignore=shutil.ignore_patterns("target", "gen"))
    commit(work, *(bare / name / "large.git" for name in ("calm", "a", "b", "c")))


def check_frontend(cluster: Cluster, client: Client) -> None:
    """What nginx says behind an ingress: its own files to be kept, what it lacks from the gateway, and nothing about TLS."""
    container = f"{cluster.pods['frontend']}-frontend"
    listed = podman("exec", container, "ls", "/usr/share/caffeine/web/assets").split()
    files = [f"/assets/{name}" for name in listed if not name.endswith((".br", ".gz"))]
    assert len(files) > 2, f"the interface was not built when the images were: {listed}"
    for path in files:
        status, headers, content = client.send("GET", path)
        found = dict(headers)
        assert status == 200 and content == (ROOT / "web/dist" / path[1:]).read_bytes(), (path, status)
        assert "immutable" in found["cache-control"] and "content-security-policy" in found, (path, found)
        assert "strict-transport-security" not in found, (path, found)
    asked = len(cluster.gateways())
    status, headers, _ = client.send("GET", "/assets/gone-00000000.js")
    assert status == 404 and "max-age" not in dict(headers)["cache-control"], (status, headers)
    assert asked == 0 and len(cluster.gateways()) == 1, (asked, cluster.gateways())
    say(f"the frontend answers with its own {len(files)} files and asks the gateway for one that it lacks")


def rolling(cluster: Cluster, client: Client, small: str) -> None:
    calm = client.document("http://git:8000/calm/large.git")
    expected = cluster.rows(calm["repository"])
    say(
        f"undisturbed: {calm['pages']} pages in {calm['run']['seconds']:.0f} s; "
        + ", ".join(f"{name} {number}" for name, (number, _) in expected.items())
    )

    for part in PARTS:
        cluster.start(part, "-second")
    added = [client.add(f"http://git:8000/{name}/large.git") for name in ("a", "b", "c")]
    runs = [item["run"]["id"] for item in added]
    load = Load(client, runs, [f"http://git:8000/{number}/small.git" for number in range(SMALL)])

    def works(part: str) -> bool:
        """In the middle of a part's work: some is done, some is not."""
        listed = ", ".join(f"'{run_id}'" for run_id in runs)
        if part == "gateway":
            return len(set(cluster.gateways()[-20:])) == 2 and len(load.added) > 2
        return part not in BEGUN or int(cluster.sql(BEGUN[part].format(runs=listed))) > 0

    def swap(part: str) -> None:
        until(f"{part} works", 120, lambda: works(part))
        working = [run_id for run_id in runs if not client.call("GET", f"/api/v1/runs/{run_id}").get("ended_at")]
        assert working, f"{part}: the runs were over too soon for this machine to be disturbed"
        took = cluster.terminate(part)
        say(f"{part}: the first pod was terminated while {len(working)} runs were at work, and ended in {took:.1f} s")
        if part == "gateway":
            more = (load.read + 20, len(load.added) + 2)
            until("the second gateway goes on", 60, lambda: load.read >= more[0] and len(load.added) >= more[1])

    with load, ThreadPoolExecutor(len(PARTS)) as pool:
        list(pool.map(swap, PARTS))

    for follower in load.followers:
        follower.join(300)
    check_load(cluster, client, load)
    small_rows = cluster.rows(small)
    for item in (*added, *load.added):
        client.follow(item["run"]["id"])
        ended = client.call("GET", f"/api/v1/runs/{item['run']['id']}")
        assert ended["state"] == "completed", ended
        found = cluster.rows(item["repository"]["id"])
        wanted = expected if item in added else small_rows
        wrong = {name: (wanted[name], found[name]) for name in wanted if wanted[name] != found[name]}
        assert not wrong, f"not as undisturbed: {wrong}"
    work = {name: number for name, number in until_empty(cluster).items() if name not in ("EVENTS", "CONTROL")}
    assert not any(work.values()), f"left in the streams: {work}"
    say(
        f"three runs under load and {len(load.added)} small ones: every row as undisturbed, nothing lost, nothing doubled; "
        "work streams and dead letters are empty"
    )


def check_load(cluster: Cluster, client: Client, load: Load) -> None:
    """What those who used the installation meanwhile noticed: nothing, but streams that broke and went on."""
    assert not load.failed, load.failed
    repositories = int(cluster.sql("SELECT count(*) FROM repositories"))
    runs = int(cluster.sql("SELECT count(*) FROM runs"))
    # small, calm, a, b and c beside those.
    assert repositories == runs == len(load.added) + 5, (repositories, runs, len(load.added))
    for follower in load.followers:
        stored = cluster.sql(f"SELECT sequence FROM run_events WHERE run_id = '{follower.followed}' ORDER BY sequence")
        assert follower.seen == [int(line) for line in stored.split()], (follower.seen, stored.split())
        assert not follower.refused, follower.refused
    asked = cluster.gateways()
    assert len(set(asked)) == 2 and len(set(asked[-20:])) == 1, "which gateway answered: " + ", ".join(asked[-20:])
    shares = ", ".join(f"{address} {asked.count(address)}" for address in sorted(set(asked)))
    say(
        f"meanwhile, through the frontend: {load.read} calls read and {len(load.added)} repositories added, none failed "
        f"(by gateway: {shares}); {len(load.followers)} runs followed over "
        f"{sum(follower.connections for follower in load.followers)} connections, every event once"
    )


def until_empty(cluster: Cluster) -> dict[str, int]:
    until(
        "the streams are empty",
        60,
        lambda: not any(number for name, number in cluster.stored().items() if name not in ("EVENTS", "CONTROL")),
    )
    return cluster.stored()


def main() -> None:
    begin = time.monotonic()
    cluster = Cluster()
    try:
        load_repositories()
        cluster.servers()
        cluster.job("migrate")
        cluster.job("provision")
        for part in (*PARTS, "frontend"):
            cluster.start(part)
        say(f"migrate and provision done, seven Deployments ready in {time.monotonic() - begin:.0f} s")
        client = Client("127.0.0.1", PORT, (cluster.ids / "admin-token").read_text())
        check_frontend(cluster, client)
        found = client.document("http://git:8000/small.git")
        say(f"a repository was documented through the frontend: {found['pages']} pages in {found['run']['seconds']:.1f} s")
        rolling(cluster, client, found["repository"])
    except BaseException:
        for name in podman("ps", "-a", "--format", "{{.Names}}").split():
            (WORK / f"{name}.log").write_text(run("sh", "-c", f"podman logs {name} 2>&1 | tail -300", check=False))
        say(f"the containers' logs are in {WORK}")
        raise
    finally:
        if "--keep" not in sys.argv:
            cluster.clear()
    say("chart-test: all held")


if __name__ == "__main__":
    main()
