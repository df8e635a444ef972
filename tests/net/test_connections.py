"""What `connections` relies on in urllib3 beyond its documentation: if that changes, these tests say where to look."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

import pytest
import urllib3
import urllib3.connection

from datahub_llmops.net import connections
from datahub_llmops.net.attempts import Deadline
from datahub_llmops.net.connections import Connections, TimeLeft
from support.stub import CERTIFICATE, Stub, answer_json

CHANGED = (
    f"urllib3 {version('urllib3')} changed what datahub_llmops/net/connections.py relies on: {{}}. Without it a call "
    "has no deadline. Adapt that module, or exclude this version in pyproject.toml."
)


@pytest.fixture(params=[False, True], ids=["http", "https"])
def stub(request: pytest.FixtureRequest) -> Iterator[Stub]:
    with Stub(lambda call: answer_json({}), tls=request.param) as server:
        yield server


@contextmanager
def requested(stub: Stub, left: TimeLeft, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Connections that urllib3 opened for one request."""
    opened: list[Any] = []
    original = connections._Connection.request

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        opened.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(connections._Connection, "request", request)
    manager = Connections("Shelf", 1, CERTIFICATE).manager(stub.url)
    timeout = urllib3.Timeout(connect=left, read=left)
    response = manager.request("GET", stub.url, timeout=timeout, retries=False, preload_content=False)
    try:
        yield opened
    finally:
        response.close()
        manager.clear()


def test_urllib3_opens_sockets_by_new_conn() -> None:
    assert callable(getattr(urllib3.connection.HTTPConnection, "_new_conn", None)), CHANGED.format(
        "HTTPConnection._new_conn opens the socket"
    )


def test_urllib3_uses_our_pools_and_their_sockets(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    left = TimeLeft.until(Deadline.after(60.0))
    with requested(stub, left, monkeypatch) as opened:
        assert len(opened) == 1, CHANGED.format("PoolManager.pool_classes_by_scheme chooses the pools")
        sock = opened[0].sock
        assert isinstance(sock, connections._DeadlineSocket), CHANGED.format(
            "the socket of _new_conn is used as it is, and SSLContext.sslsocket_class is honoured"
        )
        assert isinstance(sock, ssl.SSLSocket) == stub.url.startswith("https:")


def test_urllib3_passes_a_time_out_on_as_it_is(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    left = TimeLeft.until(Deadline.after(60.0))
    with requested(stub, left, monkeypatch) as opened:
        assert opened[0].timeout is left, CHANGED.format("Timeout hands its numbers on uncopied")
        assert getattr(opened[0].sock, "_deadline", None) is left.deadline, CHANGED.format(
            "getresponse sets the time-out of the socket"
        )


def test_a_read_ends_at_the_deadline_whatever_time_out_was_set_since() -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    ours, theirs = socket.socketpair()
    with theirs, connections._DeadlineSocket(ours.family, ours.type, ours.proto, ours.detach()) as sock:
        sock.settimeout(TimeLeft.until(Deadline.after(5.0, clock)))
        theirs.send(b"ab")
        clock.now = 3.0
        assert sock.recv(1) == b"a"
        assert sock.gettimeout() == 2.0
        sock.settimeout(60.0)
        clock.now = 5.0
        with pytest.raises(TimeoutError):
            sock.recv_into(bytearray(1))
        with pytest.raises(TimeoutError):
            sock.recv(1)
