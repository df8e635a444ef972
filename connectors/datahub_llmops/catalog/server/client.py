"""Asks one DataHub server through DataHub's own client: an answer is complete and in time, or a ``CatalogError``.

The client's time-outs are for each read, so a server that sends a byte a second would keep it busy for ever: here
every exchange has one deadline for all of it, its retries too.
https://docs.datahub.com/docs/api/openapi/openapi-usage-guide
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from datahub._codegen.aspect import _Aspect
from datahub.cli.cli_utils import fixup_gms_url
from datahub.cli.config_utils import MissingConfigError, load_client_config
from datahub.configuration.common import GraphError, MetaError, OperationalError
from datahub.configuration.env_vars import get_gms_token
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.emitter.rest_emitter import EmitMode
from datahub.ingestion.graph.client import DataHubGraph
from datahub.ingestion.graph.config import ClientMode, DatahubClientConfig
from datahub.ingestion.graph.filters import RawSearchFilter, RemovedStatusFilter

from datahub_llmops.catalog.urn_text import entity_type
from datahub_llmops.errors import CatalogError, TooManyRecordsError
from datahub_llmops.net.attempts import within
from datahub_llmops.net.paging import MOST_CALLS_OF_TIME

T = TypeVar("T")

TIMEOUT: Final = 60.0
"""Seconds that one exchange may take, with all its retries."""

_BATCH: Final = 100
_SCROLLED: Final = 1000
_RETRIES: Final = 1
"""Someone waits at a terminal: the client sleeps from its second retry on."""
_HEADERS: Final = {"Accept": "application/json", "Content-Type": "application/json"}
_RESTLI: Final = {**_HEADERS, "X-RestLi-Protocol-Version": "2.0.0"}
_RECORDS: Final = 10_000
"""Records of one time series that are asked for: a server's index gives no more at once."""
_SHOWN: Final = 300
"""Characters of a server's own message that are passed on."""
_LONGEST_REASON: Final = 4_000
"""The same for the reason of a refused write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Search results: URNs with their degree (0 if the query has none), and the number of results on all pages.

    ``passed`` are the URNs on the paths to them, where the query asks for paths.
    """

    hits: tuple[tuple[str, int], ...]
    passed: frozenset[str]
    total: int


class Gms:
    """A DataHub metadata service."""

    def __init__(self, graph: DataHubGraph, *, timeout: float = TIMEOUT) -> None:
        """``timeout`` is the deadline of one exchange in seconds."""
        self._graph = graph
        self._timeout = timeout
        self._url = fixup_gms_url(graph.config.server)
        self.server = f"DataHub server {_without_login(self._url)}"

    def close(self) -> None:
        """Close the connections."""
        self._graph.close()

    def search(self, query: str, variables: Mapping[str, Any], field: str) -> Page:
        """Read one page of search results from the query's ``field``.

        Raises:
            CatalogError: the server refuses, fails, or is no DataHub server.
        """
        data = self._exchange(lambda: self._graph.execute_graphql(query, variables=dict(variables)))
        try:
            results = data[field]["searchResults"]
            return Page(
                hits=tuple((result["entity"]["urn"], int(result.get("degree") or 0)) for result in results),
                passed=frozenset(
                    step["urn"]
                    for result in results
                    for path in result.get("paths") or ()
                    for step in path["path"]
                ),
                total=int(data[field]["total"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._not_datahub() from error

    def batch_get(self, urns: Iterable[str], aspects: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """Aspects by URN, all or those named, time series with their newest record; unknown URNs are left out.

        One call for each type and 100 URNs: https://docs.datahub.com/docs/api/openapi/openapi-usage-guide#batch-get
        """
        found: dict[str, dict[str, Any]] = {}
        for kind, listed in _by_type(urns).items():
            for start in range(0, len(listed), _BATCH):
                for entity in self._batch(kind, listed[start : start + _BATCH], aspects):
                    values = _values(entity)
                    if values:
                        found[entity["urn"]] = values
        return found

    def _batch(self, kind: str, urns: Sequence[str], aspects: Sequence[str]) -> list[dict[str, Any]]:
        body = [{"urn": urn, **{name: {} for name in aspects}} for urn in urns]
        url = f"{self._url}/openapi/v3/entity/{kind}/batchGet"

        def ask() -> Any:
            response = self._graph.session.post(url, data=json.dumps(body), headers=_HEADERS)
            response.raise_for_status()
            return response.json()

        answer = self._exchange(ask)
        entities = answer if isinstance(answer, list) else [answer]
        if not all(isinstance(entity, dict) and isinstance(entity.get("urn"), str) for entity in entities):
            raise self._not_datahub()
        return entities

    def series(self, urn: str, aspect: str, since: int) -> list[dict[str, Any]]:
        """Read the records of one time series from ``since`` on, in milliseconds since 1970, oldest first.

        https://docs.datahub.com/docs/api/restli/restli-overview, as DataHub's own client asks for them.

        Raises:
            TooManyRecordsError: the server has more records than it gives at once.
            CatalogError: the server refuses or fails.
        """
        body = {
            "urn": urn,
            "entity": entity_type(urn),
            "aspect": aspect,
            "startTimeMillis": since,
            "limit": _RECORDS,
        }
        url = f"{self._url}/aspects?action=getTimeseriesAspectValues"

        def ask() -> Any:
            response = self._graph.session.post(url, data=json.dumps(body), headers=_RESTLI)
            response.raise_for_status()
            return [json.loads(one["aspect"]["value"]) for one in response.json()["value"]["values"]]

        found: list[dict[str, Any]] = self._exchange(ask)
        if len(found) >= _RECORDS:
            raise TooManyRecordsError(
                f"{self.server}: it has more than {_RECORDS} records of {aspect} for {_short(urn)}"
            )
        return sorted(found, key=lambda one: int(one["timestampMillis"]))

    def scroll(
        self,
        types: Sequence[str] | None,
        *,
        platform: str | None = None,
        either: RawSearchFilter | None = None,
        removed: bool = False,
    ) -> Iterator[str]:
        """URNs of all assets of these types: on one platform, answering to one of several filters.

        ``removed`` takes the soft-deleted ones in.
        """
        status = None if removed else RemovedStatusFilter.NOT_SOFT_DELETED
        urns = iter(
            self._graph.get_urns_by_filter(
                entity_types=types,
                platform=platform,
                extra_or_filters=either,
                status=status,
                skip_cache=True,
            )
        )
        seen: set[str] = set()
        left = MOST_CALLS_OF_TIME * self._timeout
        while True:
            begun = time.monotonic()
            part = self._exchange(lambda: list(islice(urns, _SCROLLED)))
            left -= time.monotonic() - begun
            if not part:
                return
            fresh = [urn for urn in dict.fromkeys(part) if urn not in seen]
            if not fresh or left < 0:
                raise self.endless()
            seen.update(fresh)
            yield from fresh

    def config(self) -> Mapping[str, Any]:
        """Read the server's description of itself, including its loaded model plugins.

        Raises:
            CatalogError: nobody answers, or what answers is no DataHub server.
        """

        def ask() -> Any:
            response = self._graph.session.get(f"{self._url}/config")
            response.raise_for_status()
            return response.json()

        answer = self._exchange(ask)
        if not isinstance(answer, dict) or answer.get("noCode") != "true":
            raise self._not_datahub()
        return answer

    def write(self, urn: str, aspect: _Aspect) -> None:
        """Write one aspect by itself, and wait until it is stored.

        Raises:
            CatalogError: the server refuses it, and the message has all of its reason, or it fails.
        """
        proposal = MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect)

        def send() -> None:
            try:
                self._graph.emit_mcp(proposal, emit_mode=EmitMode.SYNC_PRIMARY)
            except OperationalError as error:
                message = str(error.info.get("message") or "")
                if not message or _status(error) in (401, 404, 429, 503):
                    raise
                raise CatalogError(f"{self.server}: it refused: {_reasons(message)}") from error

        self._exchange(send)

    def _exchange(self, ask: Callable[[], T]) -> T:
        """Call ``ask`` within the deadline, and turn its failures into errors with a next step."""
        try:
            return within(self._timeout, ask)
        except TimeoutError as error:
            raise CatalogError(
                f"{self.server}: no whole answer within {self._timeout:g} s; "
                "is the server overloaded, or the address wrong?"
            ) from error
        except OperationalError as error:
            raise self._refusal(_status(error), str(error.info.get("message") or "")) from error
        except GraphError as error:
            raise CatalogError(f"{self.server}: it refused the query: {_short(str(error))}") from error
        except requests.HTTPError as error:
            raise self._refusal(error.response.status_code, "") from error
        except (ValueError, RecursionError) as error:
            # requests' JSONDecodeError too: a login page, half an answer, garbage, lists in lists in lists.
            raise self._not_datahub() from error
        except requests.ConnectionError as error:
            raise CatalogError(
                f"{self.server}: nobody answers there ({_reason(error)}); start the server or correct the address"
            ) from error
        except (requests.RequestException, MetaError, OSError) as error:
            raise CatalogError(
                f"{self.server}: its answer broke off ({_reason(error)}); try again"
            ) from error
        except (KeyError, TypeError, AttributeError) as error:
            # What the client makes of an answer without the fields that it reads.
            raise self._not_datahub() from error

    def _refusal(self, status: int | None, message: str) -> CatalogError:
        if status in (401, 403):
            return CatalogError(
                f"{self.server}: it refuses the token ({status}); set DATAHUB_GMS_TOKEN, or run: datahub init"
            )
        if status in (404, 405, 501):  # Any server answers so to a path or a method that it does not have.
            return self._not_datahub()
        if status in (429, 503):
            return CatalogError(f"{self.server}: it is overloaded ({status}); try again later")
        what = f"it answered {status}" if status else "it refused"
        return CatalogError(
            f"{self.server}: {what}{': ' + _short(message) if message else ''}; see the server's log"
        )

    def endless(self) -> CatalogError:
        """Return the error of a listing that gives the same page again, or page after page for minutes."""
        return CatalogError(f"{self.server}: a listing of it has no end; see the server's log")

    def _not_datahub(self) -> CatalogError:
        return CatalogError(
            f"{self.server}: what answers is not a DataHub metadata service; its address is usually <host>:8080, "
            "or <frontend>:9002/api/gms"
        )


def connect(url: str, *, token: str | None = None) -> DataHubGraph:
    """Create a client for the server at ``url``, with ``token``, or that of ``DATAHUB_GMS_TOKEN`` or ``~/.datahubenv``.

    The last one only where that file is about the same server: a token goes nowhere else.

    Raises:
        CatalogError: the address is none, or holds a login.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise CatalogError(
            "the server's address cannot be read; it looks like http://localhost:8080"
        ) from error
    if not host:
        raise CatalogError(f"{_without_login(url)}: an address needs a host, like http://localhost:8080")
    if parts.username or parts.password:
        raise CatalogError(
            f"{_without_login(url)}: an address must not hold a login; put a token into DATAHUB_GMS_TOKEN"
        )
    token = (token or get_gms_token() or "").strip()
    config = DatahubClientConfig(server=url, token=token) if token else _configured(url)
    limits = {"timeout_sec": TIMEOUT / 2, "retry_max_times": _RETRIES, "client_mode": ClientMode.CLI}
    return DataHubGraph(config.model_copy(update=limits))


def _configured(url: str) -> DatahubClientConfig:
    try:
        config = load_client_config()
    except MissingConfigError:
        return DatahubClientConfig(server=url)
    except (SystemExit, OSError) as error:
        raise CatalogError("~/.datahubenv cannot be read; correct it, or run: datahub init") from error
    if _origin(config.server) != _origin(url):
        return DatahubClientConfig(server=url)
    return config.model_copy(update={"server": url})


def _by_type(urns: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for urn in dict.fromkeys(urns):
        kind = entity_type(urn)
        if kind.isalnum():
            found.setdefault(kind, []).append(urn)
    return found


def _values(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the aspects of one entity as plain values, without key aspects, which only repeat the URN."""
    return {
        name: envelope["value"]
        for name, envelope in entity.items()
        if isinstance(envelope, dict) and isinstance(envelope.get("value"), dict) and not name.endswith("Key")
    }


def _status(error: OperationalError) -> int | None:
    status = error.info.get("status")
    if isinstance(status, int):
        return status
    cause = error.__cause__
    if isinstance(cause, requests.HTTPError) and cause.response is not None:
        return cause.response.status_code
    return None


def _reason(error: Exception) -> str:
    """Explain why a connection failed, without addresses, headers or anything from the client's configuration."""
    text = str(error)
    for sign, reason in (
        ("Name or service not known", "no such host"),
        ("Failed to resolve", "no such host"),
        ("getaddrinfo", "no such host"),
        ("refused", "connection refused"),
        ("reset", "connection reset"),
        ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
        ("timed out", "timed out"),
    ):
        if sign.lower() in text.lower():
            return reason
    return type(error).__name__


def _reasons(message: str) -> str:
    """Return what a server's refusal says, without the objects that it prints around it.

    >>> _reasons("Failed to validate MCP due to: [AspectValidationException(item=Item@1, msg=Not so long.)]")
    'Not so long.'
    """
    found = re.findall(r"\bmsg=(.+?)\)(?:, Aspect|\]|$)", " ".join(message.split()))
    return "; ".join(dict.fromkeys(found)) or " ".join(message.split())[:_LONGEST_REASON]


def _short(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
