"""Whatever bytes a server sends, a call gives JSON or one of our own errors before its deadline."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from datahub_llmops.errors import ConnectorError
from datahub_llmops.net.http import HttpClient
from fuzz.mutate import mutate_bytes
from fuzz.rounds import rounds

pytestmark = pytest.mark.fuzz

BODY = b'{"items": [1, 2, {"name": "docs", "more": null}]}'
PACKED = gzip.compress(BODY, mtime=0)
WHOLE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(PACKED), PACKED),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
    % (len(PACKED), PACKED),
    b"HTTP/1.1 429 Too Many\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/items\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
)


@contextmanager
def sending(answers: list[bytes]) -> Iterator[str]:
    """Address of a server that sends the last of ``answers`` to everybody and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.recv(65_536)
                        connection.sendall(answers[-1])
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_bytes() -> None:
    answers = [WHOLE[0]]
    with sending(answers) as url:
        for chance in rounds("http"):
            answers.append(mutate_bytes(chance.choice(WHOLE), chance))
            client = HttpClient(system="Shelf", base_url=url, timeout=1.0, retries=1, backoff=0.01)
            with chance.tells("http", ConnectorError):
                client.get("/items")
            client.close()
