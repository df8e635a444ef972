"""Between a client and a Milvus server: hands calls on, and breaks those that a test picks.

A gRPC server sees which call it is; in front of it stands a plain TCP relay, which can do to the connection what no
gRPC server would.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2
from typing_extensions import override

from support.stub import LOGIN_PAGE

Status: TypeAlias = Literal[
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "UNIMPLEMENTED",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "INTERNAL",
]
"""What a server, or a gateway before it, says by gRPC's own status."""
Answer: TypeAlias = Literal[
    "not_ready", "rate_limit", "unexpected", "not_permitted", "empty", "nonsense", "silence"
]
"""What Milvus says in its answer; an answer of no bytes, or of such that are no message; none at all."""
Connection: TypeAlias = Literal["reset", "killed", "frozen", "drip", "half", "garbage", "login_page"]
"""What becomes of the connection; after ``killed`` nobody answers any more."""
Fault: TypeAlias = Status | Answer | Connection
FAULTS: tuple[Fault, ...] = (*get_args(Status), *get_args(Answer), *get_args(Connection))

_CODES = {"not_ready": 1, "rate_limit": 8, "unexpected": 65535, "not_permitted": 1401}

When: TypeAlias = Callable[[str, bytes], bool]
"""Method and request -> whether this call is meant."""


@dataclass(slots=True)
class _Injected:
    fault: Fault
    when: When


class MilvusProxy:
    """A running proxy before ``upstream`` (host and port); use it as a context manager."""

    def __init__(self, upstream: str) -> None:
        self.calls: list[str] = []
        self.met = 0
        """How many calls were picked to be broken."""
        self.tokens: set[object] = set()
        self.closing = threading.Event()
        self._upstream = grpc.insecure_channel(upstream, [("grpc.max_receive_message_length", -1)])
        self._injected: _Injected | None = None
        self._server = grpc.server(ThreadPoolExecutor(32), handlers=[_Handler(self)])
        self._relay = _Relay(self._server.add_insecure_port("127.0.0.1:0"))
        self._server.start()
        self.port = self._relay.port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer nobody any more. May be called twice."""
        self.closing.set()
        self._relay.close()
        self._server.stop(None)
        self._upstream.close()

    def fail(self, fault: Fault, *, when: When = lambda method, request: True) -> None:
        """Break every call that ``when`` picks."""
        self.met = 0
        self._injected = _Injected(fault, when)

    def heal(self) -> None:
        """Break no more of them."""
        self._injected = None
        self._relay.mode("pass")

    def answered(self, method: str, request: bytes, context: Any) -> bytes:
        """One call, as raw bytes."""
        name = method.rpartition("/")[2]
        self.calls.append(name)
        metadata = dict(context.invocation_metadata())
        token = metadata.get("authorization")
        self.tokens.add(token)
        injected = self._injected
        if injected is not None and injected.when(name, request):
            self.met += 1
            broken = self._broken(injected.fault, context)
            if broken is not None:
                return broken
        passed = (("authorization", token),) if token else ()
        try:
            return bytes(self._upstream.unary_unary(method)(request, metadata=passed, timeout=60))
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
            raise

    def _broken(self, fault: Fault, context: Any) -> bytes | None:
        """The wrong answer; ``None`` where the connection is broken and the answer does not matter."""
        if fault in get_args(Status):
            context.abort(grpc.StatusCode[fault], "by the proxy")
        if fault in get_args(Connection):
            self._relay.mode(fault)
            return None
        if fault == "silence":
            self.closing.wait(30)
        if fault == "nonsense":
            return b"\xff\xff not a message"
        if fault in _CODES:
            status = common_pb2.Status(
                error_code="UnexpectedError", code=_CODES[fault], reason="by the proxy"
            )
            return bytes(milvus_pb2.QueryResults(status=status).SerializeToString())
        return b""


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC ships no types
    def __init__(self, proxy: MilvusProxy) -> None:
        self._proxy = proxy

    @override
    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._proxy.answered(method, request, context)
        )


class _Relay:
    """Bytes both ways between clients and the gRPC server at ``port_behind``."""

    def __init__(self, port_behind: int) -> None:
        self._behind = port_behind
        self._closing = threading.Event()
        self._connections: list[_Pair] = []
        self._new = "pass"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def mode(self, fault: str) -> None:
        """Do ``fault`` to all connections that there are."""
        if fault == "killed":
            self._stop_listening()
        self._new = fault if fault == "login_page" else "pass"
        for pair in self._connections:
            pair.broken(fault)

    def close(self) -> None:
        self._closing.set()
        self._stop_listening()
        for pair in self._connections:
            pair.close()

    def _stop_listening(self) -> None:
        # Closing alone does not end an accept that is under way.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._new == "login_page":
                with client, contextlib.suppress(OSError):
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + LOGIN_PAGE)
                    client.recv(65536)
                continue
            pair = _Pair(client, socket.create_connection(("127.0.0.1", self._behind)), self._closing)
            self._connections.append(pair)
            pair.start()


class _Pair:
    def __init__(self, client: socket.socket, server: socket.socket, closing: threading.Event) -> None:
        self._client = client
        self._server = server
        self._closing = closing
        self._mode = "pass"

    def start(self) -> None:
        threading.Thread(target=self._up, daemon=True).start()
        threading.Thread(target=self._down, daemon=True).start()

    def broken(self, fault: str) -> None:
        self._mode = fault
        if fault in ("reset", "killed", "login_page"):
            with contextlib.suppress(OSError):
                # With RST instead of FIN.
                self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def close(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _up(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                self._server.sendall(data)
            self.close()

    def _down(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                self._pass_on(data)
            self.close()

    def _pass_on(self, data: bytes) -> None:
        if self._mode == "half":
            self._client.sendall(data[: len(data) // 2])
            self.close()
        elif self._mode == "garbage":
            self._client.sendall(b"\x00garbage\xff" * 100)
        elif self._mode == "frozen":
            self._closing.wait(30)
        elif self._mode == "drip":
            for byte in data:
                self._client.sendall(bytes([byte]))
                if self._closing.wait(0.2):
                    return
        else:
            self._client.sendall(data)
