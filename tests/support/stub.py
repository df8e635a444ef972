"""An HTTP server that answers as told and fails as told, for tests of everything that speaks HTTP.

It answers with recorded bodies (``replay``) or hands on to a real engine (``forward``), and injects a fault where a
test says so. Every request is kept in ``calls``.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self, TypeAlias, get_args
from urllib.parse import parse_qs, urlencode, urlsplit

import urllib3
from typing_extensions import override

from support import paths

Fault: TypeAlias = Literal[
    "401",
    "403",
    "404",
    "gateway_404",
    "429",
    "500",
    "503",
    "killed",
    "reset",
    "silence",
    "drip_headers",
    "drip_body",
    "half",
    "garbage",
    "empty",
    "login_page",
    "redirect",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""All but a wrong certificate, which is a server of its own: ``Stub(tls=True)``. After ``killed`` nobody answers any
more: what follows is refused."""

SLOW: frozenset[Fault] = frozenset({"silence", "drip_headers", "drip_body"})
"""Faults that end with the time-out of whoever asks."""


def time_out(fault: Fault) -> float:
    """Seconds for a request where a fault is met: few only if they are waited for, since the machine may be busy."""
    return 2.0 if fault in SLOW else 20.0


TLS = paths.WIRE / "tls"
CERTIFICATE = TLS / "certificate.pem"
"""Self-signed, for 127.0.0.1 and localhost."""

GATEWAY_PAGE = b"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
LOGIN_PAGE = b"<!doctype html><html><title>Sign in</title><form action='/login'></form></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it came in."""

    method: str
    path: str
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """By their names ``In-Title-Case``."""
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Answer: TypeAlias = Callable[[Call], Reply]
When: TypeAlias = Callable[[Call], bool]


def answer_json(value: object, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(value).encode())


def replay(routes: Mapping[str, object], *, missing: object) -> Answer:
    """Answers ``"GET /path"`` with its JSON, everything else with 404 and ``missing``."""

    def answer(call: Call) -> Reply:
        key = f"{call.method} {call.path}"
        return answer_json(routes[key]) if key in routes else answer_json(missing, 404)

    return answer


def forward(upstream: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Hands every request on to a real server, with ``headers`` of its own: the caller's login stays behind."""
    pool = urllib3.PoolManager(maxsize=8)

    def answer(call: Call) -> Reply:
        url = f"{upstream}{call.path}?{urlencode(call.query, doseq=True)}"
        kept = {
            name: value for name, value in call.headers.items() if name.lower() in ("content-type", "accept")
        }
        kept |= headers or {}
        response = pool.request(call.method, url, body=call.body or None, headers=kept, retries=False)
        kind = response.headers.get("Content-Type", "")
        return Reply(status=response.status, body=response.data, headers={"Content-Type": kind})

    return answer


@dataclass(slots=True)
class _Injected:
    fault: Fault
    when: When
    times: int | None


class Stub:
    """A running server; use it as a context manager. ``missing`` is the JSON of a 404 in the system's own words."""

    def __init__(
        self,
        answer: Answer,
        *,
        missing: object = None,
        tls: bool = False,
        redirect_to: str = "http://elsewhere.invalid",
    ) -> None:
        self.calls: list[Call] = []
        self.answer = answer
        self.missing = missing if missing is not None else {"error": "not found"}
        self.redirect_to = redirect_to
        self.retry_after = "0"
        self.closing = threading.Event()
        self._faults: list[_Injected] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE, TLS / "key.pem")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def fail(self, fault: Fault, *, when: When = lambda call: True, times: int | None = None) -> None:
        """Inject ``fault`` into requests that ``when`` picks, the first ``times`` of them."""
        with self._lock:
            self._faults.append(_Injected(fault, when, times))

    def heal(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._faults.clear()

    def count(self, part: str = "") -> int:
        """How many requests had ``part`` in their path."""
        return sum(part in call.path for call in self.calls)

    def close(self) -> None:
        """May be called twice."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def note(self, call: Call) -> Fault | None:
        """Keep the call; say which fault it meets."""
        with self._lock:
            self.calls.append(call)
            for injected in self._faults:
                if injected.times != 0 and injected.when(call):
                    if injected.times is not None:
                        injected.times -= 1
                    return injected.fault
        return None


@contextmanager
def refused_url() -> Iterator[str]:
    """An address at which nobody listens for as long as the block lasts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        super().__init__(("127.0.0.1", 0), _Handler)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet."""

    def serve(self) -> None:
        parts = urlsplit(self.path)
        call = Call(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.title(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        fault = self.server.stub.note(call)
        if fault is None:
            self._send(self.server.stub.answer(call))
        else:
            self._break(fault, call)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def _send(self, reply: Reply, *, length: int | None = None) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def _break(self, fault: Fault, call: Call) -> None:
        stub = self.server.stub
        if fault == "killed":
            # In this order: a loop over a closed socket never waits, and takes a whole core until the tests end.
            stub.close()
            self._reset()
        elif fault == "reset":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n[{"
            )
            self.wfile.flush()
            self._reset()
        elif fault == "silence":
            stub.closing.wait()
            self.close_connection = True
        elif fault == "drip_headers":
            self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 100_000)
        elif fault == "drip_body":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
            )
            self._drip(b" " * 100_000)
        elif fault == "half":
            whole = stub.answer(call)
            half = whole.body[: len(whole.body) // 2]
            self._send(Reply(status=200, body=half, headers=whole.headers), length=len(whole.body) + 2)
            self.close_connection = True
        else:
            self._send(self._wrong_answer(fault))

    def _wrong_answer(self, fault: Fault) -> Reply:
        stub = self.server.stub
        kind = {"Content-Type": "application/json"}
        if fault == "404":
            return answer_json(stub.missing, 404)
        if fault == "gateway_404":
            return Reply(status=404, body=GATEWAY_PAGE, headers={"Content-Type": "text/html"})
        if fault == "429":
            return Reply(status=429, body=b"{}", headers={**kind, "Retry-After": stub.retry_after})
        if fault == "garbage":
            return Reply(body=b'[{"name": "docs"')
        if fault == "empty":
            return Reply(body=b"")
        if fault == "login_page":
            return Reply(body=LOGIN_PAGE, headers={"Content-Type": "text/html; charset=utf-8"})
        if fault == "redirect":
            return Reply(status=302, headers={"Location": f"{stub.redirect_to}{self.path}"})
        return answer_json({"error": "refused by the stub"}, int(fault))

    def _drip(self, content: bytes) -> None:
        self.close_connection = True
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.stub.closing.wait(0.05):
                return

    def _reset(self) -> None:
        """Close with RST instead of FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
