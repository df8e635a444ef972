"""Client of a Milvus server's gRPC service: each call has one deadline, and errors say what they mean.

It uses a gRPC channel of its own instead of pymilvus' client, which logs errors with the server's answers, keeps
connections for the whole process, and repeats a call for as long as a channel is broken.
https://github.com/milvus-io/milvus-proto/blob/master/proto/milvus.proto
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import Message

from datahub_llmops.errors import DeniedError, UnreachableError, UnreadableError, VanishedError
from datahub_llmops.net.attempts import Attempts, Deadline, Failure, Success
from datahub_llmops.net.body import MAX_BYTES
from datahub_llmops.net.connections import parse_url
from datahub_llmops.vector_stores.milvus.protobuf import common_pb2, milvus_pb2, milvus_pb2_grpc

PORT: Final = 19530
_TLS_PORT: Final = 443
_BACKOFF: Final = 0.2

# https://github.com/milvus-io/milvus/blob/master/pkg/util/merr/errors.go
_NOT_THERE: Final = frozenset({100, 800})
"""No such collection, no such database."""
_NOT_LOADED: Final = frozenset({101, 103, 201, 202})
_NO_INDEX: Final = 700
_INVALID: Final = frozenset({802, 1100})
_DENIED: Final = frozenset({1400, 1401})

# Error codes of servers before 2.3, and the current ones: https://github.com/milvus-io/milvus-proto/blob/master/proto/common.proto
_OLD: Final[Mapping[int, int]] = {3: 1401, 4: 100, 5: 1100, 9: 1100, 25: 700, 49: 8}

# Only the text of a channel error tells its kinds apart. The text itself is never shown.
_CHANNEL: Final = (
    ("refused", "the connection was refused. Check the url, and that the server runs"),
    ("no route", "no route leads to it. Check the url"),
    ("dns resolution", "there is no such host. Check the url"),
    ("name resolution", "there is no such host. Check the url"),
    ("ssl", "no TLS with it. Check http or https in the url, and ca_certificate_path"),
    ("certificate", "its certificate is not trusted. Set ca_certificate_path"),
    ("handshake", "no TLS with it. Check http or https in the url, and ca_certificate_path"),
    ("http1.x", "what answers is not Milvus. Set url to its gRPC port, for example http://localhost:19530"),
    ("http2 header with status", "what answers is not Milvus. Set url to its gRPC port"),
)


class NotLoadedError(UnreadableError):
    """The collection is not loaded, or only in part, so its rows cannot be queried. Its description can."""


class TooLargeError(UnreadableError):
    """The answer is larger than we accept: ask for fewer rows."""


class InvalidError(UnreadableError):
    """The server does not accept the request."""


class NoIndexError(UnreadableError):
    """The collection has no index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    channel: Any
    stub: Any


class MilvusGrpcClient:
    """A client of one server. Thread-safe.

    ``timeout`` is the deadline of a whole call in seconds, with up to ``retries`` retries. ``token`` is an API key, or
    ``user:password``.

    Raises:
        UnreachableError: the address, the token or the certificate file cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        authorities: Path | None = None,
    ) -> None:
        origin, path, login = parse_url("Milvus", url)
        parts = urlsplit(origin)
        secure = parts.scheme == "https"
        self.server = parts.netloc if parts.port else f"{parts.netloc}:{_TLS_PORT if secure else PORT}"
        """Host and port, without credentials: for messages and names."""
        if path:
            raise self._unusable("the url has a path. Set the option `database` instead")
        if token and login:
            raise self._unusable("both a token and a user in the url are given. Remove one of them")
        secret = (token or login or "").strip()
        encoded = base64.b64encode(secret.encode()).decode()
        self._metadata = (("authorization", encoded),) if secret else ()
        self._attempts = Attempts(timeout=timeout, retries=retries, backoff=_BACKOFF)
        self._lock = threading.Lock()
        self._credentials = self._load_credentials(authorities) if secure else None
        self._link = self._open_channel()
        self._retired: _Link | None = None

    def _open_channel(self) -> _Link:
        """Open a channel. gRPC itself takes a proxy from the environment, and respects NO_PROXY."""
        options = [
            ("grpc.max_receive_message_length", MAX_BYTES),
            # Otherwise a new channel to the same server gets the same connection, even a broken one.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        channel = (
            grpc.secure_channel(self.server, self._credentials, options)
            if self._credentials
            else grpc.insecure_channel(self.server, options)
        )
        return _Link(channel=channel, stub=milvus_pb2_grpc.MilvusServiceStub(channel))

    def _renew(self, silent: _Link) -> None:
        """Connect again after a call timed out or broke off: all calls share a connection, and it may be dead.

        Other threads may still use the old one, so it is closed at the next change.
        """
        with self._lock:
            if self._link is not silent:
                return
            if self._retired is not None:
                self._retired.channel.close()
            self._retired, self._link = silent, self._open_channel()

    def _load_credentials(self, authorities: Path | None) -> Any:
        if authorities is None:
            return grpc.ssl_channel_credentials()
        try:
            return grpc.ssl_channel_credentials(authorities.read_bytes())
        except OSError:
            raise self._unusable(
                "ca_certificate_path cannot be read. Check that it is a readable PEM file"
            ) from None

    def _unusable(self, what: str) -> UnreachableError:
        return UnreachableError(f"Milvus at {self.server}: {what}.")

    def version(self) -> str:
        """Return the server's version: ``v2.3.5``.

        Raises like ``ask``, and ``UnreachableError`` if the server is not Milvus.
        """
        return str(self.ask("GetVersion", milvus_pb2.GetVersionRequest(), "its version").version)

    def ask(self, method: str, request: Message, item: str) -> Any:
        """Call one method of the service. Messages name what was asked for as ``item``.

        Raises:
            UnreachableError: nobody answers, or another system does.
            DeniedError: the token is wrong, or lacks a privilege.
            VanishedError: no such collection or database.
            NotLoadedError: the rows cannot be queried.
            InvalidError: the server does not accept the request.
            TooLargeError: the answer is too large.
            NoIndexError: the collection has no index.
            UnreadableError: no usable answer in time.
        """
        return self._attempts.call(
            f"Milvus at {self.server}: {item} ({method})",
            lambda deadline: self._attempt(method, request, deadline),
            separator=": ",
        )

    def close(self) -> None:
        """Close the connections. May be called twice."""
        with self._lock:
            for link in (self._link, self._retired):
                if link is not None:
                    link.channel.close()

    def _attempt(self, method: str, request: Message, deadline: Deadline) -> Success[Any] | Failure:
        """Call once. The exceptions of gRPC end here, because they may contain secrets."""
        link = self._link
        try:
            answer = getattr(link.stub, method)(
                request, timeout=max(deadline.left(), 0.001), metadata=self._metadata
            )
        except grpc.RpcError as error:
            # Also after a broken connection: gRPC waits a second before it connects again, and fails calls meanwhile.
            if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE):
                self._renew(link)
            return self._explain_error(error)
        except ValueError:
            return Failure(error=UnreachableError, what="the connection is closed. Run again")
        if not answer.HasField("status"):
            return Failure(
                error=UnreadableError,
                what="the answer does not look like one of Milvus. Look for a proxy in between, and check the "
                "server's version",
            )
        return _explain_status(answer.status) or Success(value=answer)

    def _explain_error(self, error: Any) -> Failure:
        code = error.code()
        details = (error.details() or "").lower()
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return _deny(code.name)
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return Failure(
                error=UnreadableError,
                what=f"no answer within {self._attempts.timeout:g} s. Raise timeout_sec, or look at the server",
                broken=True,
            )
        for words, what in _CHANNEL:
            if words in details:
                return Failure(error=UnreachableError, what=what, again=words == "refused")
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return Failure(
                error=UnreadableError,
                what="the server does not know this call. Set url to the gRPC port of a Milvus 2.2.9 or newer",
            )
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
            return Failure(
                error=TooLargeError,
                what=f"the answer is larger than {MAX_BYTES} bytes. Find out what is so large",
            )
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return Failure(error=UnreadableError, what="too many requests. Lower max_workers", again=True)
        return Failure(
            error=UnreadableError,
            what=f"it broke off ({code.name}). Run again; if it happens again, look at the server's log",
            again=code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED),
            broken=True,
        )


def _explain_status(status: Any) -> Failure | None:
    """Return the failure that Milvus itself reports, if any. Its text is not shown: it may quote rows."""
    code = status.code or _OLD.get(status.error_code, status.error_code and -status.error_code)
    # Milvus 2.2 and 2.3 report a missing database and a missing index in only one of the two codes.
    if status.error_code == common_pb2.IndexNotExist:
        code = _NO_INDEX
    if code == 0:
        return None
    if code in _NOT_THERE:
        return Failure(error=VanishedError, what="it does not exist (any more). Run again")
    if code in _NOT_LOADED:
        return Failure(error=NotLoadedError, what="it is not loaded. Run again")
    if code == _NO_INDEX:
        return Failure(error=NoIndexError, what="it has no index. Run again")
    if code in _INVALID:
        return Failure(
            error=InvalidError, what=f"the server does not accept it (error {code}). Check the name"
        )
    if code in _DENIED:
        return _deny(f"error {code}")
    return Failure(
        error=UnreadableError,
        what=f"the server answered with error {code}. Run again; if it happens again, look at the server's log",
        again=bool(status.retriable) or code in (1, 2, 4, 8),
        broken=code in (1, 2),
    )


def _deny(word: str) -> Failure:
    return Failure(
        error=DeniedError,
        what=f"not allowed ({word}). Check token, and the privileges of its user on this database and collection",
    )
