"""One HTTP client for every system that is read over REST, on urllib3.

A call has one deadline for connecting, headers, body and all its retries together, and returns JSON or raises one of
the errors of ``errors``. Messages name the system, the method and the path, but never a query, a header or a body, so
they contain neither secrets nor payload.
"""

from __future__ import annotations

import copy
import json
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import BadStatusLine, RemoteDisconnected
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import urllib3
import urllib3.exceptions as trouble
from pydantic import BaseModel, Field

from datahub_llmops.errors import (
    DeniedError,
    TooLargeError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.net.attempts import Attempts, Breaker, Deadline, Failure, Success
from datahub_llmops.net.body import (
    MAX_BYTES,
    BodyError,
    BodyTooLargeError,
    Json,
    parse_json,
    parse_lines,
    read_body,
)
from datahub_llmops.net.connections import Connections, TimeLeft, build_headers, parse_url

T = TypeVar("T")

Query: TypeAlias = Mapping[str, "str | int | Sequence[str]"]
"""The parameters after the question mark. A name with several values is repeated for each of them."""


class HttpOptions(BaseModel):
    """Recipe options of every connector over HTTP, named as in DataHub's own REST client."""

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


class HttpClient:
    """JSON over HTTP to one system. Thread-safe.

    ``timeout`` is the deadline of a whole call in seconds; only the machine's resolver bounds the look-up of a name.
    A call that changes nothing is repeated up to ``retries`` times, the first time after ``backoff`` seconds.
    ``ports`` is a sentence on the system's usual ports, which errors of a wrong port end with.
    ``absent`` decides by a 4xx status and its JSON, or its text if it is ``text/plain``, whether the system itself says
    that the item does not exist: the 404 of a gateway must never be taken for a deletion.
    ``refusal`` knows the system's own errors, by the headers and the content of an answer of 400 or more. Where it
    returns ``None``, the status decides.

    Raises:
        UnreachableError: the address or a header cannot be used.
    """

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        pool_size: int = 8,
        verify: bool | Path = True,
        backoff: float = 0.5,
        max_answer_bytes: int = MAX_BYTES,
        ports: str = "",
        absent: Callable[[int, Json], bool] = lambda status, answer: (
            status in (404, 410) and isinstance(answer, dict)
        ),
        refusal: Callable[[Mapping[str, str], bytes], Failure | None] = lambda headers, content: None,
    ) -> None:
        self.system = system
        self._given = headers or {}
        self._connections = Connections(system, pool_size, verify)
        self._attempts = Attempts(timeout=timeout, retries=retries, backoff=backoff)
        self._set_address(base_url)
        self._max_bytes = max_answer_bytes
        self._absent = absent
        self._refusal = refusal
        self._ports = f". {ports.removesuffix('.')}" if ports else ""
        self._heard = False
        """Whether the server ever answered; one that never does is more likely the wrong one than a slow one."""

    @classmethod
    def of(
        cls, options: HttpOptions, *, system: str, base_url: str, headers: Mapping[str, str], **more: Any
    ) -> HttpClient:
        """Build a client with the options of a recipe."""
        verify = not options.disable_ssl_verification and (options.ca_certificate_path or True)
        return cls(
            system=system,
            base_url=base_url,
            headers=headers,
            timeout=options.timeout_sec,
            retries=options.retry_max_times,
            verify=verify,
            **more,
        )

    def at(self, base_url: str) -> HttpClient:
        """Return a client of the same system at another of its hosts, with the same headers, limits and connections.

        It does not get the ``user:password`` in this client's URL. Closing one of the clients closes the idle
        connections of all.

        Raises:
            UnreachableError: the address cannot be used.
        """
        other = copy.copy(self)
        other._attempts = replace(self._attempts, breaker=Breaker())
        other._heard = False
        other._set_address(base_url)
        return other

    @property
    def name(self) -> str:
        """The system and its server, as messages begin."""
        return f"{self.system} at {self.server}"

    @property
    def address(self) -> str:
        """The base URL without credentials and without a slash at its end: for links to the system's pages."""
        return self._origin + self._prefix

    @property
    def timeout(self) -> float:
        """The deadline of one call in seconds."""
        return self._attempts.timeout

    @property
    def is_plain(self) -> bool:
        """Whether it speaks HTTP without TLS, so that others can read headers on the way."""
        return self._origin.startswith("http:")

    def _set_address(self, base_url: str) -> None:
        origin, self._prefix, login = parse_url(self.system, base_url)
        self.server = urlsplit(origin).netloc
        """Host and port, without credentials: for messages and names."""
        self._origin = origin
        self._headers = build_headers(self.system, self._given, login)
        self._pools = self._connections.manager(origin)

    def get(self, path: str, params: Query | None = None) -> Json:
        """Return the JSON at ``path``, which is below the base URL and quoted by the caller.

        Raises:
            UnreachableError: nobody answers, or another system does: refused, no host, TLS, redirect, login page.
            DeniedError: 401 or 403.
            VanishedError: 404 or 410 in the system's own words.
            TooLargeError: the answer is larger than ``max_answer_bytes``, or has too many values.
            UnreadableError: no usable answer in time: 429, 5xx, time-out, reset, a truncated or malformed answer.
        """
        return self._call("GET", path, params, None, repeatable=True)

    def post(
        self,
        path: str,
        body: Json,
        *,
        reads: bool,
        params: Query | None = None,
        lines: bool = False,
    ) -> Json:
        """Like ``get``. ``reads`` declares that the call changes nothing, so that it may be repeated.

        The answer may be in ``lines`` of JSON, one value each; the values are returned as a list.
        """
        data = None if body is None else json.dumps(body).encode()
        return self._call("POST", path, params, data, repeatable=reads, lines=lines)

    def post_text(self, path: str, text: str, *, reads: bool, params: Query | None = None) -> Json:
        """Like ``post``, with a body of plain text, such as a statement."""
        kind = "text/plain; charset=utf-8"
        return self._call("POST", path, params, text.encode(), repeatable=reads, kind=kind)

    def head(self, path: str, params: Query | None = None, *, expected: frozenset[int]) -> int:
        """Return the status of a HEAD request, which is one of ``expected``. Raises like ``get`` for any other."""
        status = self._call("HEAD", path, params, None, repeatable=True, expected=expected)
        assert isinstance(status, int)
        return status

    def unexpected(self, path: str) -> UnreadableError:
        """Return the error for JSON at ``path`` that does not have the shape of the system's answers."""
        return UnreadableError(
            f"{self.name}: the answer to {path} does not look like an answer of {self.system}. Look for a proxy in "
            "between, and check the server's version and log."
        )

    def close(self) -> None:
        """Close the idle connections. May be called twice."""
        self._connections.clear()

    def _call(
        self,
        method: str,
        path: str,
        params: Query | None,
        data: bytes | None,
        *,
        repeatable: bool,
        kind: str = "application/json",
        expected: frozenset[int] = frozenset(),
        lines: bool = False,
    ) -> Json:
        full_path = self._prefix + path
        try:
            url = f"{full_path}?{urlencode(params, doseq=True)}" if params else full_path
        except UnicodeEncodeError:
            raise UnreadableError(
                f"{self.name}: {method} {full_path} was not sent, because a name in it is not valid Unicode. Rename "
                "what has this name, or filter it out."
            ) from None
        headers = self._headers if data is None else {**self._headers, "Content-Type": kind}
        return self._attempts.call(
            f"{self.name}: {method} {full_path}",
            lambda deadline: self._attempt(method, url, data, headers, deadline, expected, lines=lines),
            repeatable=repeatable,
        )

    def _attempt(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: Mapping[str, str],
        deadline: Deadline,
        expected: frozenset[int],
        *,
        lines: bool,
    ) -> Success[Json] | Failure:
        """Send one request. The exceptions of urllib3 end here, because they may contain secrets."""
        response: urllib3.BaseHTTPResponse | None = None
        try:
            left = TimeLeft.until(deadline)
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
            self._heard = True
            content = self._read_body(response, deadline)
            if response.status in expected:
                return Success(value=response.status)
            return self._judge_response(response, content, lines=lines)
        except (trouble.HTTPError, OSError, ValueError) as error:
            return self._explain_error(error)
        finally:
            if response is not None:
                # A fully read connection is back in the pool. Any other one is closed, but its slot must be freed.
                response.close()
                response.release_conn()

    def _read_body(self, response: urllib3.BaseHTTPResponse, deadline: Deadline) -> bytes | BodyError:
        try:
            return read_body(response, most_bytes=self._max_bytes, deadline=deadline)
        except BodyError as error:
            return error

    def _explain_error(self, error: Exception) -> Failure:
        if isinstance(error, trouble.ProxyError):
            return Failure(
                error=UnreachableError,
                what="did not get through the proxy. Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
                again=True,
            )
        if isinstance(error, trouble.NameResolutionError):
            return Failure(error=UnreachableError, what="failed: no such host. Check the url")
        if isinstance(error, (trouble.SSLError, ssl.SSLError)):
            return _explain_tls_error(error)
        if isinstance(error, (trouble.NewConnectionError, ConnectionRefusedError)):
            return Failure(
                error=UnreachableError,
                what="failed: the connection was refused, or no route leads to the host. Check the url, and that the "
                f"server runs{self._ports}",
                again=True,
            )
        if isinstance(error, trouble.ConnectTimeoutError):
            return Failure(
                error=UnreachableError,
                what=f"failed: no connection within {self._attempts.timeout:g} s. Check the url, and firewalls in "
                f"between{self._ports}",
                late=True,
            )
        if isinstance(error, (trouble.TimeoutError, trouble.EmptyPoolError, TimeoutError)):
            return self._time_out()
        if _speaks_no_http(error):
            return Failure(
                error=UnreachableError,
                what="was not answered in HTTP: the port is served in another protocol, such as gRPC. Check the port "
                f"in the url{self._ports}",
            )
        if isinstance(error, (trouble.ProtocolError, OSError)):
            return Failure(
                error=UnreadableError,
                what="broke off before the answer was complete. Run again; if it happens again, look at the server's "
                "log",
                again=True,
                broken=True,
            )
        return Failure(error=UnreadableError, what="was not answered in HTTP. Check the url", broken=True)

    def _time_out(self) -> Failure:
        if not self._heard:
            return Failure(
                error=UnreadableError,
                what=f"had no answer within {self._attempts.timeout:g} s, although something accepted the connection. "
                f"Check the port in the url, and firewalls in between; raise timeout_sec if it is slow{self._ports}",
                broken=True,
                late=True,
            )
        return Failure(
            error=UnreadableError,
            what=f"had no answer within {self._attempts.timeout:g} s. Raise timeout_sec, or look at the server",
            broken=True,
            late=True,
        )

    def _judge_response(
        self, response: urllib3.BaseHTTPResponse, content: bytes | BodyError, *, lines: bool
    ) -> Success[Json] | Failure:
        status = response.status
        kind = (response.headers.get("Content-Type") or "").lower()
        if 300 <= status < 400:
            return Failure(error=UnreachableError, what=_describe_redirect(response.headers.get("Location")))
        if status >= 400:
            own = self._refusal(response.headers, b"" if isinstance(content, BodyError) else content)
            if own is not None:
                return own
        if status in (401, 403):
            return Failure(
                error=DeniedError, what=f"was denied ({status}). Check the token or key and what it may read"
            )
        if status in (400, 404, 410, 422) and (missing := self._explain_missing(status, content, kind)):
            return missing
        if status == 429:
            wait = _parse_retry_after(response.headers.get("Retry-After"))
            return Failure(
                error=UnreadableError,
                what=f"was answered 429: too many requests{_describe_wait(wait, self._attempts.timeout)}. Lower "
                "max_workers, or run at a quieter time",
                again=True,
                wait=wait,
                broken=True,
            )
        if status >= 400:
            return Failure(
                error=UnreadableError,
                what=f"was answered {status}. Look at the server's log, then run again",
                again=status in (500, 502, 503, 504),
                wait=_parse_retry_after(response.headers.get("Retry-After")) if status == 503 else None,
                broken=status in (502, 503, 504),
            )
        return self._parse_body(content, kind, lines=lines)

    def _explain_missing(self, status: int, content: bytes | BodyError, kind: str) -> Failure | None:
        try:
            absent = not isinstance(content, BodyError) and self._absent(
                status, _parse_refusal(content, kind)
            )
        except (BodyError, ValueError, RecursionError):
            absent = False
        if absent:
            return Failure(
                error=VanishedError,
                what=f"was answered {status}: it does not exist (any more). Run again; if it happens again, check the "
                "url",
            )
        if status in (400, 422):
            return None
        return Failure(
            error=UnreachableError,
            what=f"was answered {status}, but not as {self.system} does it: perhaps a gateway answered. "
            "Check the url and its path",
        )

    def _parse_body(self, content: bytes | BodyError, kind: str, *, lines: bool) -> Success[Json] | Failure:
        if isinstance(content, BodyError):
            return _not_taken(content)
        if "html" in kind or content.lstrip()[:1] == b"<":
            return Failure(
                error=UnreachableError,
                what=f"was answered with a web page, not by {self.system}: perhaps a login page. Check the url, "
                "and the credentials that a proxy in front of it requires",
            )
        # No line is an answer too, if the system says that these are lines.
        if not content.strip() and not (lines and ("jsonl" in kind or "ndjson" in kind)):
            return Failure(
                error=UnreadableError,
                what="was answered with an empty body. Look at the server's log, then run again",
            )
        try:
            return Success(value=parse_lines(content) if lines else parse_json(content))
        except BodyError as error:
            return _not_taken(error)
        except (ValueError, RecursionError):
            return Failure(
                error=UnreadableError,
                what=f"was not answered with JSON. Check that the url leads to {self.system}",
            )


def _not_taken(error: BodyError) -> Failure:
    too_large = isinstance(error, BodyTooLargeError)
    return Failure(error=TooLargeError if too_large else UnreadableError, what=str(error))


def _parse_refusal(content: bytes, kind: str) -> Json:
    """Return the JSON of a refusal. Some systems refuse in plain text."""
    return content.decode(errors="replace") if kind.startswith("text/plain") else parse_json(content)


def path_part(name: str) -> str:
    """Quote a name as one part of a path.

    Raises:
        UnreadableError: it holds half of a surrogate pair, which no URL can carry.
    """
    try:
        return quote(name, safe="")
    except UnicodeEncodeError:
        raise UnreadableError(
            f"a name cannot be written in a URL, because it is not valid Unicode: {name[:100]!a}. Rename it, or "
            "filter it out"
        ) from None


def split_for_urls(items: Iterable[T], text: Callable[[T], str], most_bytes: int) -> Iterator[list[T]]:
    """Split items into lists, each of which one URL can name in at most ``most_bytes``.

    ``text`` returns what an item adds to the URL, quoted and with its separator.
    """
    part: list[T] = []
    size = 0
    for item in items:
        length = len(text(item))
        if part and size + length > most_bytes:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _speaks_no_http(error: Exception) -> bool:
    """Whether bytes came that are no HTTP. A gRPC server answers with a frame of HTTP/2."""
    reason = error.args[-1] if isinstance(error, trouble.ProtocolError) and error.args else None
    # A closed connection is a subclass of it.
    return isinstance(reason, BadStatusLine) and not isinstance(reason, RemoteDisconnected)


def _explain_tls_error(error: Exception) -> Failure:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        return Failure(
            error=UnreachableError,
            what="failed: the server's certificate is not trusted. Set ca_certificate_path to the authority "
            "that signed it (disable_ssl_verification only for a test)",
        )
    return Failure(
        error=UnreachableError,
        what="failed: no TLS connection. Check that the server speaks https at this port",
    )


def _describe_redirect(location: str | None) -> str:
    try:
        host = urlsplit(location or "").hostname
    except ValueError:
        host = None
    to = f"to {host}" if host else "to another path on the same server"
    return (
        f"was redirected {to}, and credentials do not follow. Set the url to the address of the system itself"
    )


def _describe_wait(seconds: float | None, timeout: float) -> str:
    """Say how long the server asks to wait, if that is longer than a call may take: it is not tried again then.

    >>> _describe_wait(86355, 30), _describe_wait(2, 30)
    (', and the server asks to wait 23 h 59 min', '')
    """
    if seconds is None or seconds < timeout:
        return ""
    if seconds < 3600:
        return f", and the server asks to wait {seconds:.0f} s"
    return f", and the server asks to wait {seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"


def _parse_retry_after(retry_after: str | None) -> float | None:
    """Return seconds from a Retry-After header. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    written = (retry_after or "").strip()
    if not written:
        return None
    if written.isdecimal():
        return float(written)
    try:
        moment = parsedate_to_datetime(written)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        # A date of the year 99999999999, say.
        return None
