"""Statements over ClickHouse's HTTP interface, each answered as a whole or not at all.

The server buffers an answer until it is complete (``wait_end_of_query``), so an error of the engine has a status and a
code of its own, and never stands in the middle of rows. Statements only read, and the engine stops one that takes too
long. Messages hold no text of the server, because it quotes statements and values.

https://clickhouse.com/docs/interfaces/http
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    TooLargeError,
    UnreachableError,
    UnreadableError,
)
from datahub_llmops.net.attempts import Failure
from datahub_llmops.net.http import HttpClient
from datahub_llmops.spans.doors.clickhouse.options import ClickHouseOptions

SYSTEM: Final = "ClickHouse"
PORTS: Final = "ClickHouse serves HTTP at port 8123, or HTTPS at 8443"

_CODE: Final = re.compile(rb"Code: (\d{1,5})\.")
_READONLY: Final = 164
_MARGIN: Final = 0.9
"""Share of the deadline after which the engine stops by itself, so that its own error still arrives."""
_QUERY_BYTES: Final = 4 * 1024**2
_SPILL_BYTES: Final = 2 * 1024**3
"""Bytes of one aggregation beyond which the engine goes on with files on its disk."""


class _SettingsError(ConnectorError):
    """The user may not change settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement with the values that are bound to its placeholders, such as ``{table:Identifier}``."""

    text: str
    values: Mapping[str, str | int] = field(default_factory=dict)


class ClickHouse:
    """Calls of one server, which raise ``ConnectorError`` only.

    Raises:
        UnreachableError: the address cannot be used.
    """

    def __init__(self, options: ClickHouseOptions) -> None:
        headers = {"X-ClickHouse-User": options.user}
        if options.password is not None:
            headers["X-ClickHouse-Key"] = options.password
        self._client = HttpClient(
            system=SYSTEM,
            base_url=options.url,
            headers=headers,
            timeout=options.timeout_sec,
            retries=options.retry_max_times,
            verify=not options.disable_ssl_verification and (options.ca_certificate_path or True),
            ports=PORTS,
            absent=lambda status, answer: False,
            refusal=_judge_refusal,
        )
        self._database = options.database
        self._settings: Mapping[str, str] = {
            "readonly": "2",
            "max_execution_time": f"{max(1.0, options.timeout_sec * _MARGIN):.0f}",
            "cancel_http_readonly_queries_on_client_close": "1",
            "max_query_size": str(_QUERY_BYTES),
            "max_bytes_before_external_group_by": str(_SPILL_BYTES),
            "describe_include_subcolumns": "1",
            "distributed_product_mode": "global",
            # Traces are everywhere in a table, so to look for them in its indexes only costs time.
            "use_index_for_in_with_subqueries": "0",
        }
        self.statements = 0
        """Statements that were answered."""

    @property
    def name(self) -> str:
        """The server, as messages begin."""
        return self._client.name

    def rows(self, statement: Statement) -> Sequence[Sequence[Any]]:
        """Return the rows that a statement gives.

        Raises:
            AccessError: the server, the login, the rights or the table are wrong.
            TooLargeError: it takes too long, or needs too much memory.
            UnreadableError: no usable answer in time.
        """
        try:
            return self._ask(statement, self._settings)
        except _SettingsError:
            # A user of the profile `readonly` may change no settings at all, and cannot write either.
            self._settings = {}
            return self._ask(statement, self._settings)

    def close(self) -> None:
        """Close the idle connections. May be called twice."""
        self._client.close()

    def _ask(self, statement: Statement, settings: Mapping[str, str]) -> Sequence[Sequence[Any]]:
        answer = self._client.post_text(
            "/",
            statement.text,
            reads=True,
            params={
                "database": self._database,
                "default_format": "JSONCompact",
                "wait_end_of_query": "1",
                "query_id": f"datahub-llmops-{uuid.uuid4()}",
                **settings,
                **{f"param_{name}": _escaped(value) for name, value in statement.values.items()},
            },
        )
        if isinstance(answer, Mapping) and "exception" in answer:
            failure = _failure(str(answer["exception"]).encode())
            raise failure.error(f"{self.name}: a statement {failure.what}.")
        rows = answer.get("data") if isinstance(answer, Mapping) else None
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise self._client.unexpected("/")
        self.statements += 1
        return rows


def _escaped(value: str | int) -> str:
    """Write a value for a placeholder: the server reads it as a field of tab-separated values.

    >>> _escaped("a\\\\b\\tc")
    'a\\\\\\\\b\\\\tc'
    """
    text = str(value).replace("\\", "\\\\")
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r").replace("\0", "\\0")


def _judge_refusal(headers: Mapping[str, str], content: bytes) -> Failure | None:
    code = headers.get("X-ClickHouse-Exception-Code")
    if code is not None and code.isdecimal():
        return _of_code(int(code))
    # A proxy may have left the header out.
    found = _CODE.match(content)
    return _of_code(int(found[1])) if found else None


def _failure(message: bytes) -> Failure:
    found = _CODE.search(message)
    return _of_code(int(found[1]) if found else 0)


def _of_code(code: int) -> Failure:
    """Return what an error of ClickHouse means here.

    https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
    """
    error, what, again = _CODES.get(
        code, (UnreadableError, "failed. Look for the code in the server's log", False)
    )
    return Failure(error=error, what=f"{what} (code {code})", again=again)


_TABLE: Final = "Set `database` and `table` to the table that the collector's clickhouseexporter writes"
_LOGIN: Final = "was denied: user or password are wrong. Check `user` and `password`"
_SLOW: Final = "was stopped by the server because it takes too long. Raise `timeout_sec`"
_MEMORY: Final = "needs more memory than the user may use. Raise the user's `max_memory_usage`"
_ROWS: Final = "reads more than the user may read. Raise the limits of the user's profile"
_QUOTA: Final = "was refused because the user's quota is used up. Raise the quota, or run later"

_CODES: Final[Mapping[int, tuple[type[ConnectorError], str, bool]]] = {
    60: (UnreachableError, f"was refused: the table does not exist. {_TABLE}", False),
    81: (UnreachableError, f"was refused: the database does not exist. {_TABLE}", False),
    47: (
        UnreachableError,
        "was refused: a column does not exist. Map the table's names with `columns`",
        False,
    ),
    497: (
        DeniedError,
        "was denied: the user lacks a right. Grant SELECT on the table, and on the table of the same name with "
        "_trace_id_ts",
        False,
    ),
    192: (DeniedError, _LOGIN, False),
    193: (DeniedError, _LOGIN, False),
    194: (DeniedError, _LOGIN, False),
    516: (DeniedError, _LOGIN, False),
    159: (TooLargeError, _SLOW, False),
    160: (TooLargeError, _SLOW, False),
    241: (TooLargeError, _MEMORY, False),
    173: (TooLargeError, _MEMORY, False),
    158: (TooLargeError, _ROWS, False),
    307: (TooLargeError, _ROWS, False),
    396: (TooLargeError, _ROWS, False),
    201: (UnreadableError, _QUOTA, False),
    202: (UnreadableError, "was refused: the server runs too many statements. Run at a quieter time", True),
    216: (UnreadableError, "is still running from an attempt before. Run again later", True),
    _READONLY: (_SettingsError, "was refused: the user may not change settings", False),
}
