"""A small server over chdb, the engine of ClickHouse as a library, that speaks ClickHouse's HTTP interface.

It runs in the environment `clickhouse`, because chdb is large. Everything that a statement does is the engine's doing,
its errors included; only logins and rights are this server's, in the words and with the codes of the real one.

    python server.py PORT FOLDER

A request with the header ``X-Test-Command`` is one of the tests' own: it may write.
"""

from __future__ import annotations

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from chdb import session

PASSWORDS = {"reader": "s3cret", "bound": "s3cret", "nobody": "s3cret", "default": ""}
"""`bound` may change no settings; `nobody` may read no table."""
HTTP_ONLY = {"database", "default_format", "wait_end_of_query", "query_id", "query", "buffer_size", "user"}
STATUS = {60: 404, 81: 404, 47: 404, 46: 404, 159: 408, 516: 403, 497: 403}
CODE = re.compile(r"Code: (\d+)\.")


class Engine:
    """The one session. Statements wait for each other."""

    def __init__(self, folder: str) -> None:
        self._session = session.Session(str(Path(folder) / "data"))
        self._lock = threading.Lock()
        self._set: dict[str, str] = {}
        """What is set in the session: to set it again takes longer than most statements of the tests."""

    def run(self, text: str, database: str, form: str, settings: dict[str, str]) -> bytes:
        with self._lock:
            ask = self._session.query
            if self._set.get("database") != database:
                ask(f"USE `{database}`")
                self._set["database"] = database
            for name in self._set.keys() - settings.keys() - {"database"}:
                if not name.startswith("param_"):
                    ask(f"SET {name} = DEFAULT")
                    del self._set[name]
            for name, value in settings.items():
                if self._set.get(name) != value:
                    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
                    ask(f"SET {name} = '{quoted}'")
                    self._set[name] = value
            answer = ask(text, form)
            return bytes(answer.bytes()) if answer is not None else b""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # As ClickHouse itself: a head and its body are two writes.
    engine: Engine

    def do_GET(self) -> None:
        self._send(200, b"Ok.\n", "text/plain")

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        settings = {name: value for name, value in query.items() if name not in HTTP_ONLY}
        user = self.headers.get("X-ClickHouse-User", "default")
        if PASSWORDS.get(user) != self.headers.get("X-ClickHouse-Key", ""):
            self._refuse(516, f"{user}: Authentication failed: password is incorrect, or there is no user")
        elif user == "nobody" and "X-Test-Command" not in self.headers:
            self._refuse(
                497, f"{user}: Not enough privileges. To execute this query, it's necessary to have ..."
            )
        elif user == "bound" and any(not name.startswith("param_") for name in settings):
            self._refuse(164, "Cannot modify 'max_execution_time' setting in readonly mode")
        elif "X-Test-Command" not in self.headers and settings.get("readonly") != "2" and user != "bound":
            self._refuse(164, "statements of the door have to be read-only")
        else:
            settings.pop("readonly", None)  # chdb could not leave it again.
            try:
                body = self.engine.run(
                    text,
                    query.get("database", "default"),
                    query.get("default_format", "TabSeparated"),
                    settings,
                )
            except Exception as error:  # noqa: BLE001 - whatever the engine says is the answer
                found = CODE.search(str(error))
                self._refuse(int(found[1]) if found else 1002, str(error))
            else:
                self._send(200, body, "application/json; charset=UTF-8")

    def _refuse(self, code: int, message: str) -> None:
        body = f"Code: {code}. DB::Exception: {message}. (version 26.9)\n".encode()
        self._send(STATUS.get(code, 500), body, "text/plain", {"X-ClickHouse-Exception-Code": str(code)})

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    port, folder = sys.argv[1:]
    Handler.engine = Engine(folder)
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    server.serve_forever()


if __name__ == "__main__":
    main()
