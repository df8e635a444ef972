"""One HTTP client for every system that is read over REST, on urllib3.

A call has one deadline, for connecting, headers, body and all its retries together (`transport` keeps it), and ends in
JSON or in one of the errors of `errors`. Messages name the system, the method and the path: never a query, a header or
a body, so that no secret and no payload can be in them.
"""

from __future__ import annotations

import copy
import json
import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode, urlsplit

import urllib3
import urllib3.exceptions as trouble
from pydantic import BaseModel, Field

from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.net.connections import Connections, checked_headers, deadline, parsed_url

logger = logging.getLogger(__name__)

Json: TypeAlias = Any
"""What ``json.loads`` returns: the reader checks the shape of what it uses."""

Query: TypeAlias = Mapping[str, "str | int | Sequence[str]"]
"""What stands behind the question mark; a name with several values is written once for each."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
BREAK_AFTER = 10
"""So many calls failed one after the other: the system is taken for gone, and no further one waits for it."""


class HttpOptions(BaseModel):
    """Recipe options that every connector over HTTP has; the names are those of DataHub's own REST client."""

    timeout_sec: float = Field(
        default=30.0,
        gt=0,
        description="Seconds that one request may take in all: connecting, waiting, reading and its retries.",
    )
    retry_max_times: int = Field(
        default=3,
        ge=0,
        le=20,
        description="How often a request is tried again on 429, 500, 502, 503, 504 and broken connections.",
    )
    ca_certificate_path: Path | None = Field(
        default=None,
        description="File with the certificate authority that signed the server's certificate, "
        "for example `/etc/ssl/internal-ca.pem`.",
    )
    disable_ssl_verification: bool = Field(
        default=False, description="Accept any certificate. For a test only: anybody may then read the token."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """One attempt that did not give an answer: ``what`` continues "GET /path: "."""

    error: type[ConnectorError]
    what: str
    again: bool = False
    wait: float | None = None
    """Seconds that the server asked for (Retry-After)."""
    broken: bool = False
    """The system as a whole may be ill: counts towards the breaker."""
    late: bool = False
    """The call's deadline cut it off."""


@dataclass(frozen=True, slots=True)
class _Answer:
    value: Json


class HttpClient:
    """JSON over HTTP to one system, safe for several threads.

    ``deadline`` is in seconds, for a call as a whole; name look-ups are bounded by the machine's resolver only.
    ``retries`` is how often a call that changes nothing is repeated, ``backoff`` the seconds before the first time.
    ``absent`` says of a status (4xx) and its JSON whether the system itself means that the item is not there: a
    gateway's 404 must never pass for a deletion.

    Raises:
        UnreachableError: the address or a header cannot be used.
    """

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        deadline: float = 30.0,
        retries: int = 3,
        pool_size: int = 8,
        verify: bool | Path = True,
        backoff: float = 0.5,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        absent: Callable[[int, Json], bool] = lambda status, answer: (
            status in (404, 410) and isinstance(answer, dict)
        ),
    ) -> None:
        self.system = system
        self._given = headers or {}
        self._connections = Connections(system, pool_size, verify)
        self._aim(base_url)
        self._seconds = deadline
        self._retries = retries
        self._backoff = backoff
        self._max_bytes = max_answer_bytes
        self._absent = absent

    @classmethod
    def of(
        cls, options: HttpOptions, *, system: str, base_url: str, headers: Mapping[str, str], **more: Any
    ) -> HttpClient:
        """As a recipe's options say."""
        verify = not options.disable_ssl_verification and (options.ca_certificate_path or True)
        return cls(
            system=system,
            base_url=base_url,
            headers=headers,
            deadline=options.timeout_sec,
            retries=options.retry_max_times,
            verify=verify,
            **more,
        )

    def at(self, base_url: str) -> HttpClient:
        """The same system at another of its hosts: with the same headers and limits, over the same connections.

        A ``user:password`` in the URL of this client stays with it. Closing one of them closes the idle connections
        of all.

        Raises:
            UnreachableError: the address cannot be used.
        """
        other = copy.copy(self)
        other._aim(base_url)
        return other

    @property
    def is_plain(self) -> bool:
        """Does it speak HTTP without TLS, so that headers can be read on the way?"""
        return self._origin.startswith("http:")

    def _aim(self, base_url: str) -> None:
        origin, self._prefix, login = parsed_url(self.system, base_url)
        self.server = urlsplit(origin).netloc
        """Host and port, without credentials: for messages and names."""
        self._origin = origin
        self._headers = checked_headers(self.system, self._given, login)
        self._failed = 0
        self._lock = threading.Lock()
        self._pools = self._connections.to(origin)

    def get(self, path: str, params: Query | None = None) -> Json:
        """The JSON at ``path`` (quoted by the caller, below the base URL).

        Raises:
            UnreachableError: nobody answers, or not this system: refused, no host, TLS, redirect, login page.
            DeniedError: 401 or 403.
            VanishedError: 404 or 410 in the system's own words.
            UnreadableError: no usable answer in time: 429, 5xx, time-out, reset, half an answer, garbage.
        """
        return self._call("GET", path, params, None, repeatable=True)

    def post(
        self,
        path: str,
        body: Json,
        *,
        reads: bool,
        params: Query | None = None,
    ) -> Json:
        """As ``get``. ``reads`` declares that the call changes nothing, so that it may be repeated."""
        return self._call("POST", path, params, body, repeatable=reads)

    def close(self) -> None:
        """Give back the connections. May be called twice."""
        self._connections.clear()

    def _call(
        self,
        method: str,
        path: str,
        params: Query | None,
        body: Json,
        *,
        repeatable: bool,
    ) -> Json:
        place = self._prefix + path
        url = f"{place}?{urlencode(params, doseq=True)}" if params else place
        data = None if body is None else json.dumps(body).encode()
        end = time.monotonic() + self._seconds
        tries = 0
        answered: _Failure | None = None
        self._refuse_if_broken(method, place)
        while True:
            tries += 1
            result = self._attempt(method, url, data, end)
            if isinstance(result, _Answer):
                self._note(broken=False)
                return result.value
            if result.late:
                break
            answered = result
            pause = self._pause(tries, result.wait)
            if not (result.again and repeatable) or tries > self._retries or time.monotonic() + pause >= end:
                break
            logger.debug("%s: %s %s %s; again in %.1f s", self.system, method, place, result.what, pause)
            time.sleep(pause)
        self._note(broken=result.broken)
        # What an earlier try was told says more than that the time was too short for another one.
        told = answered or result
        cut = f", the last one cut off after {self._seconds:g} s in all" if told is not result else ""
        times = "" if tries == 1 else f" ({tries} tries{cut})"
        raise told.error(f"{self.system} at {self.server}: {method} {place} {told.what}{times}.")

    def _pause(self, tries: int, asked: float | None) -> float:
        """Seconds until the next try: what the server asked for, else exponential with full jitter."""
        return asked if asked is not None else self._backoff * 2 ** (tries - 1) * (0.5 + random.random() / 2)

    def _refuse_if_broken(self, method: str, place: str) -> None:
        if self._failed >= BREAK_AFTER:
            raise UnreachableError(
                f"{self.system} at {self.server}: {method} {place} was not sent: the last {self._failed} "
                "requests failed one after the other. Look whether the server is well, then run again."
            )

    def _note(self, *, broken: bool) -> None:
        with self._lock:
            self._failed = self._failed + 1 if broken else 0

    def _attempt(self, method: str, url: str, data: bytes | None, end: float) -> _Answer | _Failure:
        """One request. The vendor libraries' exceptions end here: what they hold may be secret."""
        deadline.at = end
        left = deadline.left()
        if left <= 0:
            return self._too_late()
        headers = self._headers if data is None else {**self._headers, "Content-Type": "application/json"}
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._pools.request(
                method,
                self._origin + url,
                body=data,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=left, read=left),
                pool_timeout=left,
            )
            content = self._content(response)
            return self._judged(response, content)
        except (trouble.HTTPError, OSError, ValueError) as error:
            return self._translated(error)
        finally:
            deadline.at = float("inf")
            if response is not None:
                # Read to the end it is in the pool already; else it must not be used again, but its place must.
                response.close()
                response.release_conn()

    def _content(self, response: urllib3.BaseHTTPResponse) -> bytes | None:
        """The body, or ``None`` when it is larger than allowed."""
        parts: list[bytes] = []
        size = 0
        for part in response.stream(65536, decode_content=True):
            size += len(part)
            if size > self._max_bytes:
                return None
            parts.append(part)
        return b"".join(parts)

    def _translated(self, error: Exception) -> _Failure:
        if isinstance(error, trouble.ProxyError):
            return _Failure(
                error=UnreachableError,
                what="did not get through the proxy. Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
                again=True,
            )
        if isinstance(error, trouble.NameResolutionError):
            return _Failure(error=UnreachableError, what="failed: no such host. Check the url")
        if isinstance(error, (trouble.SSLError, ssl.SSLError)):
            return _tls_failure(error)
        if isinstance(error, (trouble.NewConnectionError, ConnectionRefusedError)):
            return _Failure(
                error=UnreachableError,
                what="failed: the connection was refused, or there is no way there. Check the url, and that the server "
                "runs",
                again=True,
            )
        if isinstance(error, trouble.ConnectTimeoutError):
            return _Failure(
                error=UnreachableError,
                what=f"failed: no connection within {self._seconds:g} s. Check the url, and firewalls on the way",
                late=True,
            )
        if isinstance(error, (trouble.TimeoutError, trouble.EmptyPoolError, TimeoutError)):
            return self._too_late()
        if isinstance(error, (trouble.ProtocolError, OSError)):
            return _Failure(
                error=UnreadableError,
                what="broke off before the answer was whole. Run again; look at the server's log if it stays",
                again=True,
                broken=True,
            )
        return _Failure(error=UnreadableError, what="was not answered in HTTP. Check the url", broken=True)

    def _too_late(self) -> _Failure:
        return _Failure(
            error=UnreadableError,
            what=f"had no answer within {self._seconds:g} s. Raise timeout_sec, or look at the server",
            broken=True,
            late=True,
        )

    def _judged(self, response: urllib3.BaseHTTPResponse, content: bytes | None) -> _Answer | _Failure:
        status = response.status
        kind = (response.headers.get("Content-Type") or "").lower()
        if 300 <= status < 400:
            return _Failure(error=UnreachableError, what=_redirected(response.headers.get("Location")))
        if status in (401, 403):
            return _Failure(
                error=DeniedError, what=f"was denied ({status}). Check the token or key and what it may read"
            )
        if status in (400, 404, 410, 422) and (missing := self._missing(status, content)):
            return missing
        if status == 429:
            wait = _seconds_to_wait(response.headers.get("Retry-After"))
            return _Failure(
                error=UnreadableError,
                what="was answered 429: too many requests. Lower max_workers, or run when it is quieter",
                again=True,
                wait=wait,
                broken=True,
            )
        if status >= 400:
            return _Failure(
                error=UnreadableError,
                what=f"was answered {status}. Look into the server's log, then run again",
                again=status in (500, 502, 503, 504),
                wait=_seconds_to_wait(response.headers.get("Retry-After")) if status == 503 else None,
                broken=status in (502, 503, 504),
            )
        return self._parsed_json(content, kind)

    def _missing(self, status: int, content: bytes | None) -> _Failure | None:
        try:
            absent = self._absent(status, json.loads(content or b""))
        except (ValueError, RecursionError):
            absent = False
        if absent:
            return _Failure(
                error=VanishedError,
                what=f"was answered {status}: it is not there (any more). Run again; check the url if it stays",
            )
        if status in (400, 422):
            return None
        return _Failure(
            error=UnreachableError,
            what=f"was answered {status}, but not in the words of {self.system}: perhaps a gateway answered. "
            "Check the url and its path",
        )

    def _parsed_json(self, content: bytes | None, kind: str) -> _Answer | _Failure:
        if content is None:
            size = self._max_bytes // (1024 * 1024)
            return _Failure(
                error=UnreadableError,
                what=f"was answered with more than {size} MB. Look at what is so large",
            )
        if "html" in kind or content.lstrip()[:1] == b"<":
            return _Failure(
                error=UnreachableError,
                what=f"was answered with a web page, not by {self.system}: perhaps a login page. Check the url, "
                "and the credentials that a proxy in front of it asks for",
            )
        if not content.strip():
            return _Failure(
                error=UnreadableError,
                what="was answered with nothing. Look into the server's log, then run again",
            )
        try:
            return _Answer(json.loads(content))
        except (ValueError, RecursionError):
            return _Failure(
                error=UnreadableError,
                what=f"was answered with what is not JSON. Check that the url leads to {self.system}",
            )


def _tls_failure(error: Exception) -> _Failure:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        return _Failure(
            error=UnreachableError,
            what="failed: the server's certificate is not trusted. Set ca_certificate_path to the authority "
            "that signed it (disable_ssl_verification only for a test)",
        )
    return _Failure(
        error=UnreachableError,
        what="failed: no TLS connection. Check that the server speaks https at this port",
    )


def _redirected(location: str | None) -> str:
    try:
        host = urlsplit(location or "").hostname
    except ValueError:
        host = None
    to = f"to {host}" if host else "to another place on the same server"
    return f"was redirected {to}, and credentials do not follow. Set the url to where the system really is"


def _seconds_to_wait(retry_after: str | None) -> float | None:
    """Of a Retry-After header, in seconds or as a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    if not retry_after:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
