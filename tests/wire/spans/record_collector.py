"""Record what a real OpenTelemetry Collector writes of recorded spans; README.md says what for.

``cd tests && python -m wire.spans.record_collector /path/to/otelcol`` in an environment that has ``chdb`` and
``urllib3``. ``collector/builder.yaml`` says how the collector was built.
"""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import chdb.session
import urllib3
from typing_extensions import override

from support.paths import WIRE

SPANS: Final = WIRE / "spans"
TARGET: Final = SPANS / "collector"
SENT: Final = ("openinference-langchain/chroma", "genai-langchain/chroma", "mlflow-langchain/chroma")
"""One request each."""
LARGE: Final = "openinference-langchain/features"
NATIVE: Final = "--feature-gates=exporter.file.nativeCompression"
_POOL: Final = urllib3.PoolManager()


def request_of(name: str) -> bytes:
    return gzip.decompress((SPANS / f"{name}.otlp.pb.gz").read_bytes())


@contextmanager
def collector(binary: str, exporter: dict[str, Any], *options: str) -> Iterator[str]:
    """The address that takes spans while it runs; what it took it has written afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    kind = "clickhouse" if "endpoint" in exporter else "file"
    settings = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": address}}}},
        "exporters": {kind: exporter},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "error"}},
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": [kind]}},
        },
    }
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
        json.dump(settings, config)
        config.flush()
        process = subprocess.Popen([binary, f"--config={config.name}", *options])
        try:
            yield f"http://{address}/v1/traces"
        finally:
            process.terminate()
            process.wait(30)


def send(url: str, body: bytes) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    for _ in range(100):
        try:
            answer = _POOL.request("POST", url, body=body, headers=headers, retries=False)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.1)
            continue
        assert answer.status == 200, answer.data
        return
    raise AssertionError("the collector does not start")


def record_files(binary: str) -> None:
    """The formats of ``fileexporter``, with and without compression, as its README lists them."""
    for name, options, gates in (
        ("traces.json", {"format": "json"}, ()),
        ("traces.proto", {"format": "proto"}, ()),
        ("traces.json.messages", {"format": "json", "compression": "zstd"}, ()),
        ("traces.proto.messages", {"format": "proto", "compression": "zstd"}, ()),
        ("traces.json.zst", {"format": "json", "compression": "zstd"}, (NATIVE,)),
        ("traces.proto.zst", {"format": "proto", "compression": "zstd"}, (NATIVE,)),
    ):
        with collector(binary, {"path": str(TARGET / name), **options}, *gates) as url:
            for one in SENT:
                send(url, request_of(one))


def record_rotation(binary: str) -> None:
    """The names that files take, in the order of their age; the smallest file has a megabyte."""
    with tempfile.TemporaryDirectory() as folder:
        exporter = {"path": f"{folder}/traces.json", "rotation": {"max_megabytes": 1}}
        with collector(binary, exporter) as url:
            for _ in range(8):
                send(url, request_of(LARGE))
                time.sleep(0.01)
        found = sorted(Path(folder).iterdir(), key=lambda path: (path.name == "traces.json", path.name))
        rotated = [{"name": path.name, "lines": path.read_bytes().count(b"\n")} for path in found]
    (TARGET / "rotation.json").write_text(json.dumps(rotated, indent=1) + "\n", encoding="utf-8")


class ClickHouse:
    """ClickHouse's HTTP interface over its engine in this process, as far as the exporter's client uses it."""

    def __init__(self) -> None:
        self.session = chdb.session.Session()
        self.statements: list[str] = []

    def answer(self, statement: str, block: bytes) -> bytes:
        if "displayName()" in statement:
            return _hello()
        self.statements.append(statement)
        if not statement.startswith("INSERT"):
            return bytes(self.session.query(statement, "Native").bytes())
        with tempfile.NamedTemporaryFile(suffix=".native") as file:
            file.write(block)
            file.flush()
            target = statement.removesuffix("FORMAT Native")
            self.session.query(f"{target} SELECT * FROM file('{file.name}', Native)")
        return b""

    @contextmanager
    def served(self) -> Iterator[str]:
        """Its address."""
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = b"".join(_chunks(self.rfile)) if self._chunked else self.rfile.read(self._length)
                asked = parse_qs(urlsplit(self.path).query).get("query")
                found = engine.answer(asked[0] if asked else body.decode(), body)
                self.send_response(200)
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                self.wfile.write(found)

            @property
            def _chunked(self) -> bool:
                return self.headers.get("Transfer-Encoding") == "chunked"

            @property
            def _length(self) -> int:
                return int(self.headers.get("Content-Length", 0))

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        # One at a time: so is the engine.
        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()


def _chunks(stream: Any) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()


def _hello() -> bytes:
    """What the client asks first: in the form with a block's head. The revision 0 asks for none from then on."""
    columns = (
        ("displayName()", "String", _text("clickhouse")),
        ("version()", "String", _text("26.9.2.1")),
        ("revision()", "UInt32", bytes(4)),
        ("timezone()", "String", _text("UTC")),
    )
    head = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    body = b"".join(_text(name) + _text(kind) + b"\x00" + value for name, kind, value in columns)
    return head + bytes([len(columns), 1]) + body


def _text(value: str) -> bytes:
    return bytes([len(value)]) + value.encode()


def record_clickhouse(binary: str) -> None:
    """The statements of ``clickhouseexporter`` and the rows that it wrote, for both kinds of its table."""
    for name, json_columns in (("otel_traces", False), ("otel_traces_json", True)):
        engine = ClickHouse()
        with engine.served() as served:
            exporter = {
                "endpoint": served,
                "database": "otel",
                "traces_table_name": name,
                "compress": "none",
                "async_insert": False,
                "json": json_columns,
                "sending_queue": {"enabled": False},
            }
            with collector(binary, exporter) as url:
                for one in SENT:
                    send(url, request_of(one))
        statements = list(dict.fromkeys(engine.statements))
        text = "".join(f"{one.strip()};\n\n" for one in statements if not one.startswith("DESCRIBE"))
        (TARGET / f"{name}.sql").write_text(text, encoding="utf-8")
        rows = engine.session.query(f"SELECT * FROM otel.{name} ORDER BY Timestamp, SpanId", "Native").bytes()
        (TARGET / f"{name}.native.gz").write_bytes(gzip.compress(rows, mtime=0))
        engine.session.close()


if __name__ == "__main__":
    record_files(sys.argv[1])
    record_rotation(sys.argv[1])
    record_clickhouse(sys.argv[1])
