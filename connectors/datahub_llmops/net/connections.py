"""Connections of ``http`` that keep a deadline: addresses, headers, sockets, pools, proxies and certificates.

`requests` and urllib3 limit single reads only, so a server that sends one byte a second keeps them busy for ever. The
sockets here limit every read to what is left of the call's deadline. They get the deadline as a ``TimeLeft``, which
urllib3 passes on to them like any time-out. Proxies and CA bundles come from the environment, found as requests does.
https://urllib3.readthedocs.io/en/stable/advanced-usage.html

urllib3 has no public way to choose the class of a socket, so ``_Connection`` overrides ``_new_conn``. That is why
`pyproject.toml` excludes urllib3 3, and tests/net/test_connections.py checks what this module relies on.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests.utils
import urllib3
import urllib3.connection
import urllib3.connectionpool
import urllib3.exceptions as trouble
from typing_extensions import override

import datahub_llmops
from datahub_llmops.errors import UnreachableError
from datahub_llmops.net.attempts import Deadline


class TimeLeft(float):
    """A time-out in seconds that remembers the deadline from which it was computed."""

    deadline: Deadline

    @classmethod
    def until(cls, deadline: Deadline) -> TimeLeft:
        """Raises ``TimeoutError`` once the deadline has passed."""
        left = cls(deadline.left())
        if left <= 0:
            raise TimeoutError("deadline")
        left.deadline = deadline
        return left


class _DeadlineSocket(socket.socket):
    """A socket that, once its time-out is a ``TimeLeft``, ends every read at the deadline."""

    _deadline: Deadline | None = None

    @override
    def settimeout(self, value: float | None, /) -> None:
        if isinstance(value, TimeLeft):
            self._deadline = value.deadline
        super().settimeout(value)

    @override
    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        self._limit()
        return super().recv(*args, **kwargs)

    @override
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._limit()
        return super().recv_into(*args, **kwargs)

    def _limit(self) -> None:
        if self._deadline is not None:
            super().settimeout(TimeLeft.until(self._deadline))


class _DeadlineTlsSocket(_DeadlineSocket, ssl.SSLSocket):
    pass


class _Connection(urllib3.connection.HTTPConnection):
    @override
    def _new_conn(self) -> socket.socket:
        """Connect before the deadline, however many addresses the host has: urllib3 starts anew for each of them."""
        try:
            addresses = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise trouble.NameResolutionError(self.host, self, socket.gaierror(str(error))) from None
        failed: Exception = OSError("the host has no address")
        for family, kind, protocol, _, address in addresses:
            sock = _DeadlineSocket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self._time_left())
                sock.connect(address)
            except OSError as error:
                sock.close()
                failed = error
            else:
                sys.audit("http.client.connect", self, self.host, self.port)
                return sock
        if isinstance(failed, TimeoutError):
            raise trouble.ConnectTimeoutError(self, "time-out") from None
        raise trouble.NewConnectionError(self, str(failed)) from None

    def _time_left(self) -> TimeLeft:
        assert isinstance(self.timeout, TimeLeft), "urllib3 did not pass on the time-out"
        return TimeLeft.until(self.timeout.deadline)


class _TlsConnection(_Connection, urllib3.connection.HTTPSConnection):
    pass


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Connections:
    """Connections to the hosts of one system, at most ``pool_size`` to each host at the same time.

    Hosts that are reached in the same way share a pool manager, so that authorities are loaded once.
    """

    def __init__(self, system: str, pool_size: int, verify: bool | Path) -> None:
        self._system = system
        self._size = pool_size
        self._verify = verify
        self._managers: dict[tuple[bool, str | None], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def manager(self, origin: str) -> urllib3.PoolManager:
        """The pool manager for requests to ``origin`` (``https://host:port``).

        Raises:
            UnreachableError: the certificates cannot be read, or the proxy cannot be used.
        """
        try:
            proxies: Mapping[str, str] = requests.utils.get_environ_proxies(origin)
            proxy = requests.utils.select_proxy(origin, proxies)
        except ValueError:
            raise _unusable_proxy(self._system) from None
        route = (origin.startswith("https:"), proxy)
        with self._lock:
            if route not in self._managers:
                self._managers[route] = _build_manager(self._system, origin, self._size, self._verify, proxy)
            return self._managers[route]

    def clear(self) -> None:
        """Close the idle connections. May be called twice; later requests connect again."""
        for manager in list(self._managers.values()):
            manager.clear()


def _build_manager(
    system: str, origin: str, pool_size: int, verify: bool | Path, proxy: str | None
) -> urllib3.PoolManager:
    tls: dict[str, Any] = {}
    if origin.startswith("https:"):
        context = urllib3.util.create_urllib3_context()
        # The documented way to choose the class of the sockets that a context wraps.
        context.sslsocket_class = _DeadlineTlsSocket
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            tls = {"ssl_context": context, "cert_reqs": "CERT_NONE", "assert_hostname": False}
        else:
            _load_authorities(system, context, verify)
            tls = {"ssl_context": context, "cert_reqs": "CERT_REQUIRED"}
    # Keep connections to as many hosts as may be called at the same time.
    size: dict[str, Any] = {"maxsize": pool_size, "block": True, "num_pools": max(10, 2 * pool_size)}
    options = {**size, **tls}
    manager = (
        urllib3.PoolManager(**options) if proxy is None else _build_proxy_manager(system, proxy, options)
    )
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def parse_url(system: str, base_url: str) -> tuple[str, str, str | None]:
    """Return origin, path and ``user:password`` of a base URL. No message shows the URL: it may hold a password.

    Raises:
        UnreachableError: it is not an HTTP address.
    """
    problem: str | None = None
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        problem = "its host or port cannot be read"
    else:
        if parts.scheme not in ("http", "https"):
            problem = "it must begin with http:// or https://, and lead to the port of the REST API"
        elif not parts.hostname or any(c.isspace() for c in parts.netloc):
            problem = "it names no host"
        elif parts.query or parts.fragment:
            problem = "it must not have a query (?) or a fragment (#)"
    if problem is not None:
        raise UnreachableError(
            f"{system}: the url cannot be used: {problem}. Write it like https://host.example:8443"
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    origin = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return origin, parts.path.rstrip("/"), login


def build_headers(system: str, headers: Mapping[str, str], login: str | None) -> dict[str, str]:
    """Return the headers of every request: our own, those given, and the ``login`` of the URL.

    Raises:
        UnreachableError: a header cannot be sent, or there are two logins.
    """
    result = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"datahub-llmops/{datahub_llmops.__version__}",
    }
    for name, value in headers.items():
        # A token that was read from a file or variable often ends in a line break.
        text = value.strip()
        if not text.isascii() or not text.isprintable():
            raise UnreachableError(
                f"{system}: the value of the header {name} contains characters that a header cannot carry (a "
                "line break or an accent). Check the token or key in the recipe."
            )
        result[name] = text
    if login is not None:
        if any(name.lower() == "authorization" for name in headers):
            raise UnreachableError(
                f"{system}: both a token and a user in the url are given. Remove one of them."
            )
        result["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return result


def _build_proxy_manager(system: str, proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    url = proxy if "://" in proxy else f"http://{proxy}"
    if not url.lower().startswith(("http://", "https://")):
        raise UnreachableError(
            f"{system}: the proxy set in the environment is not an HTTP proxy. Set HTTPS_PROXY to one, or list the "
            "host in NO_PROXY."
        )
    try:
        user, password = requests.utils.get_auth_from_url(url)
        headers = urllib3.util.make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
        return urllib3.ProxyManager(requests.utils.urldefragauth(url), proxy_headers=headers, **options)
    except (ValueError, trouble.HTTPError):
        # The text of the error may hold the password.
        raise _unusable_proxy(system) from None


def _unusable_proxy(system: str) -> UnreachableError:
    return UnreachableError(
        f"{system}: the address of the proxy in the environment cannot be read. Write HTTP_PROXY and HTTPS_PROXY like "
        "http://proxy.example:3128, and check NO_PROXY."
    )


def _load_authorities(system: str, context: ssl.SSLContext, verify: bool | Path) -> None:
    """Trust what requests would trust: the option, else the environment variables, else certifi."""
    bundle = str(verify) if isinstance(verify, Path) else ""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        bundle = bundle or os.environ.get(variable, "")
    bundle = bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH
    try:
        if Path(bundle).is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except OSError:
        raise UnreachableError(
            f"{system}: {bundle} cannot be read as certificates (PEM). Check ca_certificate_path, or "
            "REQUESTS_CA_BUNDLE."
        ) from None
