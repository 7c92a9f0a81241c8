"""managed.yaml: broker and database are somebody else's, outside the project, reached by TLS with certificates of the house.

The database's owner is no superuser and may make roles; the broker belongs to others too, so there is a prefix.
"""

from __future__ import annotations

import time
from pathlib import Path

from compose_stack import Stack
from podman import ROOT, inspect, podman, run, say, until
from tls_front import TlsFront

PROJECT = "caffeine-managed"
NETWORK = f"{PROJECT}-elsewhere"
NATS, DATABASE = f"{PROJECT}-nats", f"{PROJECT}-postgres"
OWNER = "postgres://docs:docs-owner@db.corp:{port}/docs?sslmode=verify-full"
BOOTSTRAP = "CREATE ROLE docs LOGIN CREATEROLE PASSWORD 'docs-owner'; CREATE DATABASE docs OWNER docs;"


def check_managed() -> None:
    begin = time.monotonic()
    clear()
    certificates = ROOT / ".run" / f"{PROJECT}-certificates"
    make_certificates(certificates)
    database = their_database(certificates)
    (certificates / "owner-url").write_text(OWNER.format(port=database.port))
    stack = Stack(
        PROJECT,
        ("--managed", "--authorities-file", str(certificates / "ca.pem")),
        NATS_URL="tls://nats.corp:4222",
        DATABASE_URL_FILE=str(certificates / "owner-url"),
    )
    stack.set("CAFFEINE_NATS_PREFIX=docs")
    stack.init()
    stack.edit(("STREAMS=embedded", "STREAMS=server"))
    try:
        their_broker(stack, certificates)
        # As a name server of the house would say it. The database's proxy is this machine.
        hosts = [f"nats.corp:{network(NATS, 'IPAddress')}", f"db.corp:{network(NATS, 'Gateway')}"]
        ours = ("gateway", "cloner", "chunker", "embedder", "doc-writer", "housekeeper", "migrate", "provision")
        for name in ours:
            stack.additions.setdefault(name, {})["extra_hosts"] = hosts
        # They are the same as on one server.
        stack.left_out |= {"adminer", "prometheus"}
        stack.merge()
        assert not {"postgres", "nats"} & stack.services.keys()
        stack.up()
        stack.wait_until_healthy()
        found = stack.client().document("http://git:8000/sample.git")
        users = sql("SELECT DISTINCT usename FROM pg_stat_activity WHERE usename LIKE 'docs%'").split()
        assert sorted(users) == sorted(f"docs_{name.replace('-', '_')}" for name in ours[:6]), users
        assert database.taken > 6 and not database.refused, (database.taken, database.refused)
        streams = set(podman("exec", NATS, "ls", "/data/jetstream/CAFFEINE/streams").split())
        assert streams and all(name.startswith("docs_") for name in streams), streams
    except BaseException:
        stack.logs()
        raise
    finally:
        stack.down()
        database.shutdown()
        clear()
    say(
        f"managed servers: by TLS with the house's own authority, each service as a role of its own, streams {min(streams)}, …; "
        f"{found['pages']} pages; {time.monotonic() - begin:.0f} s"
    )


def their_database(certificates: Path) -> TlsFront:
    """Started outside the project; without a superuser for us, and reached by TLS alone."""
    podman("network", "create", NETWORK)
    names = {
        "POSTGRES_USER": "root_of_theirs",
        "POSTGRES_DB": "theirs",
        "POSTGRES_PASSWORD_FILE": "/certificates/password",
    }
    podman(
        "run",
        "--detach",
        "--network",
        NETWORK,
        "--volume",
        f"{certificates}:/certificates:ro",
        "--name",
        DATABASE,
        *(part for name, value in names.items() for part in ("--env", f"{name}={value}")),
        "pgvector/pgvector:0.8.5-pg18",
    )
    until(
        "their database is there",
        60,
        lambda: podman("exec", DATABASE, "pg_isready", "--host=127.0.0.1", check=False).count("accepting"),
    )
    for statement in BOOTSTRAP.rstrip(";").split(";"):
        sql(statement, "postgres")
    sql("CREATE EXTENSION vector")
    return TlsFront((network(DATABASE, "IPAddress"), 5432), certificates / "db.pem", certificates / "db-key.pem")


def their_broker(stack: Stack, certificates: Path) -> None:
    """With the users that `init` made, as who runs it would include them."""
    (certificates / "nats.conf").write_text(
        'listen: "0.0.0.0:4222"\n'
        'tls { cert_file: "/certificates/nats.pem", key_file: "/certificates/nats-key.pem" }\n'
        'jetstream { store_dir: "/data", sync_interval: always, max_file_store: 64GB }\n'
        'include "users.json"\n'
    )
    (certificates / "users.json").write_bytes((stack.folder / "secrets/identities/nats-users.json").read_bytes())
    common = ("--detach", "--network", NETWORK, "--volume", f"{certificates}:/certificates:ro")
    podman("run", *common, "--name", NATS, "nats:2.15.1-alpine", "--config", "/certificates/nats.conf")


def network(container: str, field: str) -> str:
    return inspect(container)["NetworkSettings"]["Networks"][NETWORK][field]


def sql(text: str, database: str = "docs") -> str:
    command = ("psql", "--host=/tmp", "--username=root_of_theirs", "--no-align", "--tuples-only", "--dbname", database)
    return podman("exec", DATABASE, *command, "--command", text).strip()


def make_certificates(folder: Path) -> None:
    """An authority of the house, which nobody else trusts, and what the two servers show."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")

    def openssl(*arguments: str) -> None:
        run("openssl", "req", "-x509", *key, *arguments, cwd=folder)

    openssl("-subj", "/CN=The house", "-keyout", "ca-key.pem", "-out", "ca.pem")
    for name in ("nats", "db"):
        signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", f"subjectAltName=DNS:{name}.corp")
        plain = ("-addext", "basicConstraints=critical,CA:FALSE")
        openssl("-subj", f"/CN={name}.corp", *signed, *plain, "-keyout", f"{name}-key.pem", "-out", f"{name}.pem")
        run("chmod", "0600", f"{name}-key.pem", cwd=folder)
    (folder / "password").write_text("theirs")
    (folder / "ca-key.pem").unlink()


def clear() -> None:
    podman("rm", "--force", "--volumes", "--time", "2", "--ignore", NATS, DATABASE, check=False)
    podman("network", "rm", "--force", NETWORK, check=False)
