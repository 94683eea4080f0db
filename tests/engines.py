"""Real engines for the tests: a PostgreSQL server and a local Spark, each started once; skipped where not installed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

#: The reasons of skips start like this; `.ci/run` accepts none of them.
NO_SERVER = "no PostgreSQL server is installed (Debian: apt-get install postgresql)"
NO_JAVA = "no Java runtime is installed (Debian: apt-get install default-jre-headless)"


def _server_programs() -> Path:
    """The folder of initdb and pg_ctl."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "pg_ctl").exists():
            return folder
    found = shutil.which("pg_ctl")
    if found is None:
        pytest.skip(NO_SERVER)
    return Path(found).resolve().parent


def _plain_user(folder: Path) -> str | None:
    """Who runs the server, which refuses root; None: whoever runs the tests."""
    if os.getuid() != 0:
        return None
    users = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in users else "nobody"
    shutil.chown(folder, user)
    return user


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """A server of its own, with an empty database; yields the address ``postgres://shop@127.0.0.1:port/postgres``."""
    programs, port = _server_programs(), _free_port()
    with tempfile.TemporaryDirectory(prefix="custvalue-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        user, data = _plain_user(folder), folder / "data"

        def run(program: str, *arguments: object) -> None:
            command = [programs / program, "-D", data, *arguments]
            # The server inherits the outputs, so they must be a file: a pipe would stay open as long as it runs.
            with open(folder / "commands.txt", "ab") as log:
                subprocess.run(list(map(str, command)), cwd=folder, stdout=log, stderr=log, check=True, user=user)

        run("initdb", "-U", "shop", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-w", "-t", "60", "-l", folder / "log.txt", "-o", settings, "start")
        try:
            yield f"postgres://shop@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


@contextlib.contextmanager
def local_spark(folder: Path) -> Iterator:
    """A Spark session in this process, two threads, nothing on the network."""
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip(NO_JAVA)
    from pyspark.sql import SparkSession

    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.default.parallelism": "1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    builder = SparkSession.builder.master("local[2]").appName("custvalue tests")
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()
