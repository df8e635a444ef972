"""A Milvus server for as long as somebody uses it: run by the Python of the engine's own environment.

``python serve.py FOLDER``: ``FOLDER/ready`` holds port and process id once it serves. Everybody who uses it
holds a shared lock on ``FOLDER/users``; when nobody does any more, however they ended, it stops.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from milvus import MilvusServer

ETCD = """\
listen-client-urls: http://127.0.0.1:{0}
advertise-client-urls: http://127.0.0.1:{0}
listen-peer-urls: http://127.0.0.1:{1}
initial-advertise-peer-urls: http://127.0.0.1:{1}
initial-cluster: default=http://127.0.0.1:{1}
"""


def main() -> None:
    """Serve, wait, stop."""
    folder = Path(sys.argv[1])
    base = folder / f"milvus-{os.getpid()}"
    base.mkdir()
    # Unpacked once, when the environment was made: it takes longer than the start.
    (base / "bin").symlink_to(Path(sys.prefix) / "server" / "bin")
    server = MilvusServer(wait_for_started=False)
    server.set_base_dir(str(base))
    server.config.set("authorization_enabled", True)
    # Without a file of its own the etcd inside listens on one port, and a machine could run one server only.
    etcd = base / "etcd.yaml"
    etcd.write_text(ETCD.format(free_port(), free_port()))
    os.environ["ETCD_CONFIG_PATH"] = str(etcd)
    server.start()
    try:
        wait_until_healthy(server)
        written = folder / "ready.part"
        written.write_text(f"{server.listen_port} {server.server_proc.pid}")
        written.rename(folder / "ready")
        wait_while_used(server, folder)
    finally:
        (folder / "ready").unlink(missing_ok=True)
        server.stop()
        # Half a gigabyte is reserved at the start.
        shutil.rmtree(base, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_until_healthy(server: Any) -> None:
    """Ends where the server does."""
    while server.server_proc.poll() is None:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{server.webservice_port}/healthz") as answer,
        ):
            if b"OK" in answer.read():
                return
        time.sleep(0.2)
    sys.exit("the server ended while it started")


def wait_while_used(server: Any, folder: Path) -> None:
    with (folder / "users").open("w") as users:
        while server.server_proc.poll() is None:
            time.sleep(0.5)
            with suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever comes now waits for the lock, and then finds no server.
                (folder / "ready").unlink(missing_ok=True)
                return


if __name__ == "__main__":
    main()
