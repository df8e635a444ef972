"""Connections that keep a deadline: addresses, headers, sockets, pools, proxies and certificates for `http`.

`requests` and urllib3 have time-outs for each read only, so a server that sends a byte a second keeps them busy for
ever. Here every socket asks, before every read, what is left for the call as a whole.
Proxies and CA bundles are found in the environment as requests finds them.
https://urllib3.readthedocs.io/en/stable/advanced-usage.html
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import sys
import threading
import time
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


class Deadline(threading.local):
    """When the call that this thread is in must end, on the monotonic clock."""

    at: float = float("inf")

    def left(self) -> float:
        return self.at - time.monotonic()


deadline = Deadline()


def _limit(sock: socket.socket) -> None:
    left = deadline.left()
    if left <= 0:
        raise TimeoutError("deadline")
    if left != float("inf"):
        sock.settimeout(left)


class _Socket(socket.socket):
    """A socket whose every read gets only what is left of the call's deadline."""

    @override
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        _limit(self)
        return super().recv_into(*args, **kwargs)


class _TlsSocket(ssl.SSLSocket):
    @override
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        _limit(self)
        return super().recv_into(*args, **kwargs)


class _Connection(urllib3.connection.HTTPConnection):
    @override
    def _new_conn(self) -> socket.socket:
        """Connect within the deadline, however many addresses the name has: each would get the time-out anew."""
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise trouble.NameResolutionError(self.host, self, socket.gaierror(str(error))) from None
        failed: Exception = OSError("the name has no address")
        for family, kind, protocol, _, address in found:
            sock = _Socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                _limit(sock)
                if isinstance(self.timeout, (int, float)):
                    sock.settimeout(min(self.timeout, sock.gettimeout() or self.timeout))
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


class _TlsConnection(_Connection, urllib3.connection.HTTPSConnection):
    pass


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Connections:
    """Connections to the hosts of one system, at most ``pool_size`` at a time to each of them.

    Hosts that are reached in the same way share what is dear to make: authorities are loaded once, not once a host.
    """

    def __init__(self, system: str, pool_size: int, verify: bool | Path) -> None:
        self._system = system
        self._size = pool_size
        self._verify = verify
        self._managers: dict[tuple[bool, str | None], urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def to(self, origin: str) -> urllib3.PoolManager:
        """For requests to ``origin`` (``https://host:port``).

        Raises:
            UnreachableError: certificates that cannot be read, a proxy that cannot be used.
        """
        proxies: Mapping[str, str] = requests.utils.get_environ_proxies(origin)
        proxy = requests.utils.select_proxy(origin, proxies)
        way = (origin.startswith("https:"), proxy)
        with self._lock:
            if way not in self._managers:
                self._managers[way] = _manager(self._system, origin, self._size, self._verify, proxy)
            return self._managers[way]

    def clear(self) -> None:
        """Close what is idle. May be called twice, and what is asked for after it connects anew."""
        for manager in list(self._managers.values()):
            manager.clear()


def _manager(
    system: str, origin: str, pool_size: int, verify: bool | Path, proxy: str | None
) -> urllib3.PoolManager:
    tls: dict[str, Any] = {}
    if origin.startswith("https:"):
        context = urllib3.util.create_urllib3_context()
        # The context builds the wrapped socket itself; this is the documented way to have it build ours.
        context.sslsocket_class = _TlsSocket
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            tls = {"ssl_context": context, "cert_reqs": "CERT_NONE", "assert_hostname": False}
        else:
            _load_authorities(system, context, verify)
            tls = {"ssl_context": context, "cert_reqs": "CERT_REQUIRED"}
    # As many hosts are kept connected as may be talked to at the same time.
    size: dict[str, Any] = {"maxsize": pool_size, "block": True, "num_pools": max(10, 2 * pool_size)}
    options = {**size, **tls}
    manager = urllib3.PoolManager(**options) if proxy is None else _proxied(system, proxy, options)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager


def parsed_url(system: str, base_url: str) -> tuple[str, str, str | None]:
    """Origin, path and ``user:password`` of a base URL; the URL is not shown, it may hold a password.

    Raises:
        UnreachableError: not an address of HTTP.
    """
    problem: str | None = None
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError:
        problem = "its host or port cannot be read"
    else:
        if parts.scheme not in ("http", "https"):
            problem = "it must begin with http:// or https://"
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


def checked_headers(system: str, headers: Mapping[str, str], login: str | None) -> dict[str, str]:
    result = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"datahub-llmops/{datahub_llmops.__version__}",
    }
    for name, value in headers.items():
        # A token out of a file or variable often ends in a line break.
        text = value.strip()
        if not text.isascii() or not text.isprintable():
            raise UnreachableError(
                f"{system}: the value for the header {name} holds characters that a header cannot carry (line "
                "break, accent). Check the token or key in the recipe."
            )
        result[name] = text
    if login is not None:
        if any(name.lower() == "authorization" for name in headers):
            raise UnreachableError(
                f"{system}: both a token and a user in the url are given. Take one of them away."
            )
        result["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return result


def _proxied(system: str, proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    url = proxy if "://" in proxy else f"http://{proxy}"
    if not url.lower().startswith(("http://", "https://")):
        raise UnreachableError(
            f"{system}: the environment names a proxy that is not HTTP. Set HTTPS_PROXY to an HTTP proxy, or name "
            "the host in NO_PROXY."
        )
    user, password = requests.utils.get_auth_from_url(url)
    headers = urllib3.util.make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
    return urllib3.ProxyManager(requests.utils.urldefragauth(url), proxy_headers=headers, **options)


def _load_authorities(system: str, context: ssl.SSLContext, verify: bool | Path) -> None:
    """What requests trusts: the option, else the variables, else certifi."""
    named = str(verify) if isinstance(verify, Path) else ""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        named = named or os.environ.get(variable, "")
    named = named or requests.utils.DEFAULT_CA_BUNDLE_PATH
    try:
        if Path(named).is_dir():
            context.load_verify_locations(capath=named)
        else:
            context.load_verify_locations(cafile=named)
    except OSError:
        raise UnreachableError(
            f"{system}: {named} cannot be read as certificates (PEM). Check ca_certificate_path, or "
            "REQUESTS_CA_BUNDLE."
        ) from None
