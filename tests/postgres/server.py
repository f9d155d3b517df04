"""A real PostgreSQL server in a folder of its own, which the tests may kill."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from tests.ports import free_port

USER, PASSWORD = "visage", "open-sesame"


class Server:
    """Trusts nobody without a password; it syncs nothing to the disk, which here only costs time."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.port = programs, folder, free_port()
        self._account = _account()
        self._process: subprocess.Popen[bytes] | None = None
        if self._account:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        words = [f"--username={USER}", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--encoding=UTF8"]
        self._run("initdb", f"--pgdata={folder / 'data'}", "--locale=C", "--no-sync", *words).wait()
        self.start()

    def start(self) -> None:
        """Raises `RuntimeError`, with what the server said."""
        options = {"fsync": "off", "unix_socket_directories": str(self.folder), "listen_addresses": "127.0.0.1"}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        self._process = self._run("postgres", "-D", str(self.folder / "data"), "-p", str(self.port), *words)
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def kill(self) -> None:
        """All of it at once, as when the power goes. The server does not start again before the last of them is gone:
        they share its memory."""
        if self._process and self._process.poll() is None:
            parent = psutil.Process(self._process.pid)
            parent.suspend()  # so that it has no more children than are seen
            children = parent.children(recursive=True)
            for one in (parent, *children):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            self._process.wait()
            psutil.wait_procs(children, timeout=60)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: in good order. SIGQUIT: at once, to be thrown away."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait()

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The URL of a new, empty database. A server that a failed test left dead is started first."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def _run(self, program: str, *words: str) -> "subprocess.Popen[bytes]":
        who = self._account
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self.programs / program, *words],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=who.pw_uid if who else None,
                group=who.pw_gid if who else None,
                extra_groups=[] if who else None,
            )


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running() as made:
        if made is None:
            reason = "there is no PostgreSQL server here; install the package postgresql"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        yield made


@contextmanager
def running() -> Iterator[Server | None]:
    """A server of its own; None where PostgreSQL is not installed."""
    programs = _programs()
    if not programs:
        yield None
        return
    # Not in pytest's own folder: the server runs as a user who may not look into that.
    with tempfile.TemporaryDirectory(prefix="visage-pg-") as folder:
        Path(folder).chmod(0o755)
        made = Server(programs, Path(folder))
        yield made
        made.stop(signal.SIGQUIT)


def _programs() -> Path | None:
    """The folder of initdb and postgres; Debian keeps it off the path."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders += [Path(found).resolve().parent] if found else []
    return next((folder for folder in folders if (folder / "postgres").exists() and (folder / "initdb").exists()), None)


def _account() -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
