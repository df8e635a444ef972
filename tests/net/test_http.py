"""The HTTP client against a server that fails in every way a server can."""

from __future__ import annotations

import base64
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3.exceptions
from pydantic import ValidationError
from typing_extensions import override

from datahub_llmops.errors import (
    ConnectorError,
    DeniedError,
    UnreachableError,
    UnreadableError,
    VanishedError,
)
from datahub_llmops.net.attempts import BREAK_AFTER, Failure
from datahub_llmops.net.http import HttpClient, HttpOptions, Query, path_part
from support.stub import CERTIFICATE, FAULTS, Call, Fault, Reply, Stub, answer_json, refused_url

SECRET = "planted-5ec7e7"

EXPECTED: dict[Fault, type[ConnectorError]] = {
    "401": DeniedError,
    "403": DeniedError,
    "404": VanishedError,
    "gateway_404": UnreachableError,
    "429": UnreadableError,
    "500": UnreadableError,
    "503": UnreadableError,
    "killed": UnreachableError,
    "reset": UnreadableError,
    "silence": UnreadableError,
    "drip_headers": UnreadableError,
    "drip_body": UnreadableError,
    "half": UnreadableError,
    "garbage": UnreadableError,
    "empty": UnreadableError,
    "login_page": UnreachableError,
    "redirect": UnreachableError,
}
RETRIED = {"429", "500", "503", "reset", "half"}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub(lambda call: answer_json({"path": call.path, "query": call.query})) as server:
        yield server


def client(url: str, **options: Any) -> HttpClient:
    given = {"timeout": 5.0, "retries": 2, "backoff": 0.01, **options}
    return HttpClient(system="Shelf", base_url=url, **given)


def everything(error: BaseException) -> str:
    """What an exception and all that it drags along would show."""
    shown, seen = [], set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            shown += [str(one), repr(one), repr(one.args)]
            todo += [one.__cause__, one.__context__]
    return "\n".join(shown)


def test_answers_are_json_below_the_base_path(stub: Stub) -> None:
    shelf = client(f"{stub.url}/root/")
    assert shelf.get("/a%2Fb", {"limit": 2}) == {"path": "/root/a%2Fb", "query": {"limit": ["2"]}}
    assert shelf.post("/get", {"k": "v"}, reads=True)["path"] == "/root/get"
    assert stub.calls[-1].json == {"k": "v"}
    assert stub.calls[-1].headers["Content-Type"] == "application/json"


def test_lines_of_json_are_a_list_and_no_lines_are_an_answer_only_where_lines_are(stub: Stub) -> None:
    def told(body: bytes, kind: str) -> Any:
        stub.answer = lambda call: Reply(body=body, headers={"Content-Type": kind})
        with closing(HttpClient(system="Acme", base_url=stub.url, retries=0)) as client:
            return client.post("/rows", {}, reads=True, lines=True)

    assert told(b'{"a": 1}\n\n{"a": 2}\n', "application/jsonl") == [{"a": 1}, {"a": 2}]
    assert told(b"", "application/jsonl") == []
    for body, kind in (
        (b"", "application/json"),
        (b'{"a": 1}\n{"a"', "application/jsonl"),
        (b"1,2", "x-ndjson"),
    ):
        with pytest.raises(UnreadableError):
            told(body, kind)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_ends_as_the_error_that_says_what_to_do(stub: Stub, fault: Fault) -> None:
    stub.fail(fault)
    timeout = 0.5 if fault in ("silence", "drip_headers", "drip_body") else 5.0
    with pytest.raises(ConnectorError) as caught:
        client(stub.url, timeout=timeout).get("/items", {"q": SECRET})
    assert type(caught.value) is EXPECTED[fault]
    assert str(caught.value).startswith(f"Shelf at 127.0.0.1:{stub.port}: GET /items ")
    assert SECRET not in everything(caught.value)
    assert caught.value.__context__ is None
    assert stub.count() == (3 if fault in RETRIED else 1)


def test_every_fault_has_its_expectation() -> None:
    assert set(EXPECTED) == set(FAULTS)


@pytest.mark.parametrize("fault", sorted(RETRIED))
def test_what_passes_is_tried_again(stub: Stub, fault: Fault) -> None:
    stub.fail(fault, times=2)
    assert client(stub.url).get("/items")["path"] == "/items"
    assert stub.count() == 3


@pytest.mark.parametrize("fault", ["500", "reset"])
def test_a_post_is_repeated_only_when_it_reads(stub: Stub, fault: Fault) -> None:
    stub.fail(fault)
    with pytest.raises(UnreadableError):
        client(stub.url).post("/write", {}, reads=False)
    assert stub.count("/write") == 1
    with pytest.raises(UnreadableError):
        client(stub.url).post("/read", {}, reads=True)
    assert stub.count("/read") == 3


@pytest.mark.parametrize("fault", ["silence", "drip_headers", "drip_body"])
def test_a_server_that_never_ends_is_left_at_the_deadline(stub: Stub, fault: Fault) -> None:
    # Without the deadline these run for an hour: the suite's own time limit is the assertion.
    stub.fail(fault)
    with pytest.raises(UnreadableError, match=r"no answer within 0\.3 s"):
        client(stub.url, timeout=0.3, retries=5).get("/items")


def test_a_deadline_covers_the_retries(stub: Stub) -> None:
    stub.fail("503")
    with pytest.raises(UnreadableError, match="503"):
        client(stub.url, timeout=2.0, retries=20, backoff=0.4).get("/items")
    assert stub.count() <= 5


def test_what_an_earlier_try_was_told_is_not_lost_to_the_deadline() -> None:
    calls = 0

    def silent_after_the_first(call: Call) -> Reply:
        nonlocal calls
        calls += 1
        if calls > 1:
            time.sleep(4)
        return Reply(status=503, body=b"{}")

    with Stub(silent_after_the_first) as server:
        with pytest.raises(UnreadableError) as caught:
            client(server.url, timeout=2.0, retries=5, backoff=0.0).get("/items")
        assert str(caught.value).endswith(
            "GET /items was answered 503. Look at the server's log, then run again "
            "(2 tries, the last one cut off after 2 s in all)."
        )


def test_a_deadline_covers_an_answer_without_end() -> None:
    def endless(call: Call) -> Reply:
        return Reply(body=b" " * 50_000_000)

    with Stub(endless) as server, pytest.raises(UnreadableError, match="more than 1 MB"):
        client(server.url, max_answer_bytes=1024 * 1024).get("/items")


def test_retry_after_is_kept_to(stub: Stub) -> None:
    stub.retry_after = "1"
    stub.fail("429", times=1)
    begun = time.monotonic()
    assert client(stub.url, backoff=0.0).get("/items")
    assert time.monotonic() - begun >= 1


def test_retry_after_may_be_a_date(stub: Stub) -> None:
    stub.retry_after = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    stub.fail("429", times=1)
    with pytest.raises(UnreadableError, match="429"):
        client(stub.url).get("/items")
    assert stub.count() == 1


@pytest.mark.parametrize(
    "asked",
    [
        "3600",
        "nonsense",
        "-1",
        "9" * 5_000,
        "1e9",
        "Mon, 01 Jan 99999999999 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Wed, 21 Oct 9999 07:28:00 -2359",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Mon, 99 Jan 2024 99:99:99 GMT",
    ],
)
def test_retry_after_beyond_the_deadline_or_wrong_does_not_hang(stub: Stub, asked: str) -> None:
    stub.retry_after = asked
    stub.fail("429")
    with pytest.raises(UnreadableError, match="429"):
        client(stub.url).get("/items")


def test_refused_and_unknown_hosts_are_unreachable() -> None:
    with refused_url() as url, pytest.raises(UnreachableError, match="refused"):
        client(url).get("/items")
    with pytest.raises(UnreachableError, match="no such host"):
        client("http://no-such-host.invalid").get("/items")


def test_a_host_that_takes_no_connection_ends_at_the_deadline() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # The queue holds one connection more than it was told; what comes after gets no answer, not even a refusal.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with pytest.raises(UnreachableError, match=r"no connection within 0\.3 s"):
            client(f"http://127.0.0.1:{port}", timeout=0.3).get("/items")
        for one in waiting:
            one.close()


PORTS = "Shelf serves REST at port 6333 by default, and gRPC at 6334."

GRPC_SETTINGS = bytes.fromhex(
    "000018040000000000000400400000000500400000000600004000fe03000000010000040800000000000" + "03f0001"
)
"""The first bytes of a gRPC server (grpcio 1.80) to a request of HTTP/1.1: frames of HTTP/2."""


@contextmanager
def speaking(answer: bytes | None) -> Iterator[str]:
    """The address of a port that answers every connection with these bytes, or never."""

    class Handler(socketserver.BaseRequestHandler):
        @override
        def handle(self) -> None:
            self.request.recv(65536)
            if answer is None:
                ended.wait()
            else:
                self.request.sendall(answer)

    ended = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        ended.set()
        server.shutdown()


def test_the_port_of_another_protocol_is_named(stub: Stub) -> None:
    with speaking(GRPC_SETTINGS) as url, pytest.raises(UnreachableError, match=r"gRPC.*6333") as caught:
        client(url, ports=PORTS).get("/items")
    assert "server's log" not in str(caught.value)


def test_a_port_that_never_answered_is_perhaps_the_wrong_one(stub: Stub) -> None:
    with speaking(None) as url, pytest.raises(UnreadableError, match=r"Check the port.*6333"):
        client(url, ports=PORTS, timeout=0.3).get("/items")


def test_a_server_that_answered_before_is_only_slow(stub: Stub) -> None:
    shelf = client(stub.url, ports=PORTS, timeout=0.5)
    shelf.get("/items")
    stub.fail("silence")
    with pytest.raises(UnreadableError, match="Raise timeout_sec") as caught:
        shelf.get("/items")
    assert "6333" not in str(caught.value)


def test_credentials_do_not_follow_a_redirect(stub: Stub) -> None:
    with Stub(lambda call: answer_json({})) as elsewhere:
        stub.redirect_to = elsewhere.url.replace("127.0.0.1", "localhost")
        stub.fail("redirect")
        with pytest.raises(UnreachableError, match="redirected to localhost"):
            client(stub.url, headers={"Authorization": f"Bearer {SECRET}"}).get("/items")
        assert elsewhere.count() == 0
    assert stub.calls[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("body", [b"", b"page not found", b"<html>404</html>", b'["no"]', b"[" * 100_000])
def test_a_gateways_404_is_no_deletion(body: bytes) -> None:
    with (
        Stub(lambda call: Reply(status=404, body=body)) as server,
        pytest.raises(UnreachableError, match="gateway"),
    ):
        client(server.url).get("/items")


def test_the_system_says_which_404_is_its_own(stub: Stub) -> None:
    stub.missing = {"message": "no Route matched with those values"}
    stub.fail("404")
    with pytest.raises(UnreachableError, match="gateway"):
        client(stub.url, absent=lambda status, answer: answer.get("error") == "NotFound").get("/items")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("text/plain; charset=utf-8", VanishedError),
        ("text/html", UnreachableError),
        ("application/json", UnreachableError),
    ],
)
def test_a_system_may_say_it_in_plain_text(kind: str, error: type[Exception]) -> None:
    reply = Reply(status=404, body=b"Not Found", headers={"Content-Type": kind})
    with Stub(lambda call: reply) as server, pytest.raises(error):
        client(server.url, absent=lambda status, answer: answer == "Not Found").get("/items")


@pytest.mark.parametrize("status", [400, 422])
def test_a_system_may_say_it_with_another_status(status: int) -> None:
    with Stub(lambda call: answer_json({"error": call.path}, status)) as server:
        shelf = client(server.url, absent=lambda found, answer: (found, answer["error"]) == (status, "/gone"))
        with pytest.raises(VanishedError):
            shelf.get("/gone")
        with pytest.raises(UnreadableError, match=str(status)):
            shelf.get("/wrong")


@pytest.mark.parametrize(
    ("body", "kind"), [(b"Sign in first", "text/html"), (b" <html>", "application/json")]
)
def test_a_web_page_is_told_by_its_kind_or_its_look(body: bytes, kind: str) -> None:
    with (
        Stub(lambda call: Reply(body=body, headers={"Content-Type": kind})) as server,
        pytest.raises(UnreachableError, match="web page"),
    ):
        client(server.url).get("/items")


@pytest.mark.parametrize("body", [b"[" * 200_000, b"\xff\xfe", b"1" * 10_000, b"NaN nonsense"])
def test_hostile_json_is_unreadable(body: bytes) -> None:
    with Stub(lambda call: Reply(body=body)) as server, pytest.raises(UnreadableError):
        client(server.url).get("/items")


def test_a_body_that_is_not_what_its_encoding_says_is_unreadable() -> None:
    with (
        Stub(lambda call: Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"})) as server,
        pytest.raises(UnreadableError),
    ):
        client(server.url).get("/items")


def test_a_system_that_only_fails_is_left_alone(stub: Stub) -> None:
    stub.fail("503")
    shelf = client(stub.url, retries=0)
    for _ in range(BREAK_AFTER):
        with pytest.raises(UnreadableError):
            shelf.get("/items")
    with pytest.raises(UnreachableError, match="was not sent"):
        shelf.get("/items")
    assert stub.count() == BREAK_AFTER


def test_one_answer_in_between_shows_that_the_system_lives(stub: Stub) -> None:
    stub.fail("503", when=lambda call: call.path == "/sick")
    shelf = client(stub.url, retries=0)
    for _ in range(2 * BREAK_AFTER):
        with pytest.raises(UnreadableError):
            shelf.get("/sick")
        assert shelf.get("/well")


def test_a_self_signed_certificate_is_refused_with_what_to_set() -> None:
    with Stub(lambda call: answer_json({}), tls=True) as server:
        with pytest.raises(UnreachableError, match="ca_certificate_path"):
            client(server.url).get("/items")
        assert server.count() == 0
        assert client(server.url, verify=CERTIFICATE).get("/items") == {}
        with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
            assert client(server.url, verify=False).get("/items") == {}


@pytest.mark.parametrize("fault", ["silence", "drip_headers", "drip_body"])
def test_the_deadline_holds_within_tls(fault: Fault) -> None:
    with Stub(lambda call: answer_json({}), tls=True) as server:
        server.fail(fault)
        with pytest.raises(UnreadableError, match=r"no answer within 0\.4 s"):
            client(server.url, verify=CERTIFICATE, timeout=0.4).get("/items")


def test_https_to_a_server_without_tls_says_so(stub: Stub) -> None:
    with pytest.raises(UnreachableError, match="TLS"):
        client(stub.url.replace("http:", "https:")).get("/items")


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    for content in (None, "no certificate"):
        if content is not None:
            wrong.write_text(content)
        with pytest.raises(UnreachableError, match=r"ca\.pem.*ca_certificate_path"):
            client("https://127.0.0.1", verify=wrong)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8000",
        f"{SECRET}@host",
        f"ftp://u:{SECRET}@host",
        "http://",
        f"http://u:{SECRET}@",
        f"http://u:{SECRET}@host:port",
        f"http://u:{SECRET}@host:99999",
        f"http://host?key={SECRET}",
        f"http://u:{SECRET}@[::1",
        f"http://u:{SECRET}@ho st",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UnreachableError, match="url cannot be used") as caught:
        client(url)
    assert SECRET not in everything(caught.value)


def test_a_user_in_the_url_becomes_a_header_and_nothing_else(stub: Stub) -> None:
    shelf = client(stub.url.replace("//", f"//us%40er:{SECRET}@"))
    assert shelf.get("/items")
    sent = stub.calls[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == f"us@er:{SECRET}"
    assert shelf.server == f"127.0.0.1:{stub.port}"
    with pytest.raises(UnreachableError, match="both"):
        client(stub.url.replace("//", f"//u:{SECRET}@"), headers={"authorization": "Bearer x"})


def test_a_token_with_a_line_break_is_cut_or_refused(stub: Stub) -> None:
    assert client(stub.url, headers={"X-Token": f"{SECRET}\n"}).get("/items")
    assert stub.calls[0].headers["X-Token"] == SECRET
    for wrong in (f"{SECRET}\r\nX-Other: 1", f"{SECRET}é"):
        with pytest.raises(UnreachableError, match="X-Token") as caught:
            client(stub.url, headers={"X-Token": wrong})
        assert SECRET not in everything(caught.value)


def test_netrc_does_not_take_the_place_of_the_token(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client(stub.url, headers={"Authorization": "Bearer mine"}).get("/items")
    assert stub.calls[0].headers["Authorization"] == "Bearer mine"


def test_the_proxy_of_the_environment_is_used(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", stub.url.replace("//", f"//user:{SECRET}@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert client("http://shelf.invalid:8000").get("/items")["path"] == "/items"
    assert stub.calls[0].headers["Host"] == "shelf.invalid:8000"
    assert (
        base64.b64decode(stub.calls[0].headers["Proxy-Authorization"].split()[1]).decode() == f"user:{SECRET}"
    )
    monkeypatch.setenv("no_proxy", "shelf.invalid")
    with pytest.raises(UnreachableError, match="no such host"):
        client("http://shelf.invalid:8000").get("/items")


class TunnelProxy(socketserver.ThreadingTCPServer):
    """Takes CONNECT and passes bytes both ways."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), TunnelHandler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class TunnelHandler(socketserver.StreamRequestHandler):
    server: TunnelProxy

    @override
    def handle(self) -> None:
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(target)
        self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port))) as far, suppress(OSError):
            back = threading.Thread(target=self.pump, args=(far, self.connection), daemon=True)
            back.start()
            self.pump(self.connection, far)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                target.sendall(content)


def test_https_goes_through_a_proxys_tunnel_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Stub(lambda call: answer_json({"path": call.path}), tls=True) as server, TunnelProxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        shelf = client(server.url.replace("127.0.0.1", "localhost"), verify=CERTIFICATE, timeout=2.0)
        assert shelf.get("/items") == {"path": "/items"}
        assert proxy.asked == [f"localhost:{server.port}"]
        server.fail("drip_headers")
        with pytest.raises(UnreadableError, match="no answer within 2 s"):
            shelf.get("/items")
        with pytest.raises(UnreachableError, match="ca_certificate_path"):
            client(server.url).get("/items")
        proxy.shutdown()


def test_a_proxy_that_is_down_or_of_another_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with refused_url() as url:
        monkeypatch.setenv("http_proxy", url.replace("//", f"//user:{SECRET}@"))
        with pytest.raises(UnreachableError, match="proxy") as caught:
            client("http://shelf.invalid").get("/items")
        assert SECRET not in everything(caught.value)
    monkeypatch.setenv("http_proxy", f"socks5://user:{SECRET}@127.0.0.1:1")
    with pytest.raises(UnreachableError, match="not an HTTP proxy") as caught:
        client("http://shelf.invalid")
    assert SECRET not in everything(caught.value)


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://user:{}@[::1", "http://host:99999999", "http://u:{}@h:x"]
)
def test_an_address_of_a_proxy_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("https_proxy", address.format(SECRET))
    with pytest.raises(UnreachableError, match="_PROXY") as caught:
        client("https://shelf.invalid", timeout=1.0, retries=0).get("/items")
    assert SECRET not in everything(caught.value)


def test_debug_logs_hold_no_secret(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    stub.fail("503", times=1)
    shelf = client(stub.url.replace("//", f"//u:{SECRET}@"), headers={"X-Token": SECRET})
    shelf.post("/get", {"payload": SECRET}, reads=True)
    stub.fail("reset")
    with pytest.raises(UnreadableError):
        shelf.get("/items")
    assert "503" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in repr(shelf)


def test_threads_share_a_bounded_pool(stub: Stub) -> None:
    under_way: list[str] = []
    most: list[int] = []

    def answer(call: Call) -> Reply:
        under_way.append(call.path)
        most.append(len(under_way))
        time.sleep(0.005)
        under_way.remove(call.path)
        return answer_json({"path": call.path})

    stub.answer = answer
    shelf = client(stub.url, pool_size=3)
    with ThreadPoolExecutor(16) as pool:
        paths = [f"/{n}" for n in range(100)]
        assert [answer["path"] for answer in pool.map(shelf.get, paths)] == paths
    assert 1 < max(most) <= 3


def test_a_pool_that_stays_busy_ends_at_the_deadline(stub: Stub) -> None:
    stub.fail("silence", when=lambda call: call.path == "/slow")
    shelf = client(stub.url, pool_size=1, timeout=0.5)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(shelf.get, "/slow")
        with pytest.raises(UnreadableError):
            slow.result()
    assert shelf.get("/well")


def test_connections_are_used_again_after_faults(stub: Stub) -> None:
    shelf = client(stub.url, pool_size=1, retries=0, timeout=2.0, max_answer_bytes=100_000)
    faults: tuple[Fault, ...] = ("500", "garbage", "half", "reset", "login_page", "404", "empty")
    for fault in faults:
        stub.fail(fault)
        with pytest.raises(ConnectorError):
            shelf.get("/items")
        stub.heal()
        assert shelf.get("/items")
    whole = stub.answer
    stub.answer = lambda call: Reply(body=b"[" + b"1," * 500_000)
    with pytest.raises(UnreadableError, match="more than"):
        shelf.get("/items")
    stub.answer = whole
    assert shelf.get("/items")


def test_closes_twice(stub: Stub) -> None:
    shelf = client(stub.url)
    shelf.get("/items")
    shelf.close()
    shelf.close()


def test_options_make_a_client(stub: Stub) -> None:
    options = HttpOptions(timeout_sec=0.3, retry_max_times=0)
    shelf = HttpClient.of(options, system="Shelf", base_url=stub.url, headers={})
    stub.fail("503", times=1)
    with pytest.raises(UnreadableError):
        shelf.get("/items")
    assert stub.count() == 1
    stub.fail("silence")
    with pytest.raises(UnreadableError, match=r"0\.3 s"):
        shelf.get("/items")
    for wrong in ({"timeout_sec": 0}, {"retry_max_times": -1}):
        with pytest.raises(ValidationError):
            HttpOptions.model_validate(wrong)


@pytest.mark.parametrize("params", [{"id": "a\ud800"}, {"ids": ["b", "\udfff"]}, {"\ud800": "c"}])
def test_a_name_that_is_no_unicode_is_not_sent(stub: Stub, params: Query) -> None:
    with pytest.raises(UnreadableError, match="not valid Unicode") as caught:
        client(stub.url).get("/items", params)
    assert caught.value.__suppress_context__
    with pytest.raises(UnreadableError, match="not valid Unicode"):
        path_part("a\ud800")
    assert stub.calls == []


class TestSeveralHosts:
    """One system at several addresses."""

    def test_headers_and_limits_go_along_and_credentials_of_the_url_do_not(self) -> None:
        with Stub(lambda call: answer_json(call.path)) as first, Stub(lambda call: answer_json(1)) as second:
            login = first.url.replace("://", "://user:secret@")
            client = HttpClient(system="Shop", base_url=login, headers={"X-Key": "k"})
            other = client.at(f"{second.url}/below")
            assert (client.get("/a"), other.get("/b")) == ("/a", 1)
            assert (other.server, client.server) == (f"127.0.0.1:{second.port}", f"127.0.0.1:{first.port}")
            assert second.calls[0].path == "/below/b"
            assert [call.headers.get("X-Key") for call in (*first.calls, *second.calls)] == ["k", "k"]
            assert "Authorization" in first.calls[0].headers
            assert "Authorization" not in second.calls[0].headers
            client.close()

    def test_one_host_that_is_ill_does_not_stop_the_others(self) -> None:
        with Stub(lambda call: answer_json(1)) as ill, Stub(lambda call: answer_json(2)) as well:
            ill.fail("503")
            client = HttpClient(system="Shop", base_url=well.url, retries=0)
            other = client.at(ill.url)
            for _ in range(12):
                with pytest.raises((UnreadableError, UnreachableError)):
                    other.get("/")
            # After ten failures in a row a host is asked no more.
            assert len(ill.calls) == 10
            assert client.get("/") == 2
            client.close()

    def test_authorities_are_loaded_once_for_all_hosts(self) -> None:
        client = HttpClient(system="Shop", base_url="https://a.invalid")
        pools = {id(client.at(f"https://{name}.invalid")._pools) for name in "bcd"}
        assert pools == {id(client._pools)}
        assert client.at("http://e.invalid")._pools is not client._pools

    def test_a_query_may_name_several_values(self) -> None:
        with Stub(lambda call: answer_json(call.query)) as server:
            client = HttpClient(system="Shop", base_url=server.url)
            asked: Query = {"ids": ["a&b", "c"], "limit": 3, "name": "x y"}
            assert client.get("/", asked) == {"ids": ["a&b", "c"], "limit": ["3"], "name": ["x y"]}
            client.close()


def test_a_head_returns_the_status_that_the_caller_knows(stub: Stub) -> None:
    known = frozenset({204, 404})
    stub.answer = lambda call: Reply(status=204 if call.path.endswith("/there") else 404)
    calls = client(stub.url)
    assert calls.head("/there", expected=known) == 204
    assert calls.head("/gone", {"tenant": "a"}, expected=known) == 404
    assert [(call.method, call.query) for call in stub.calls] == [("HEAD", {}), ("HEAD", {"tenant": ["a"]})]
    with pytest.raises(UnreachableError):
        calls.head("/gone", expected=frozenset({204}))
    stub.answer = lambda call: Reply(status=401)
    with pytest.raises(DeniedError):
        calls.head("/there", expected=known)


class TestASystemWithStatements:
    def test_a_statement_is_sent_as_it_is(self, stub: Stub) -> None:
        http = client(stub.url)
        http.post_text("/", "SELECT 'é'", reads=True, params={"database": "d"})
        (call,) = stub.calls
        assert call.body.decode() == "SELECT 'é'"
        assert call.headers["Content-Type"].startswith("text/plain")
        assert call.query == {"database": ["d"]}

    def test_the_system_knows_its_own_errors(self) -> None:
        def refusal(headers: Mapping[str, str], content: bytes) -> Failure | None:
            if "X-Code" not in headers:
                return None
            return Failure(error=DeniedError, what=f"{headers['X-Code']}, {len(content)} bytes")

        own = Reply(status=500, body=b"abc", headers={"X-Code": "60"})
        answers = iter((own, Reply(status=500, body=b"abc")))
        with Stub(lambda call: next(answers)) as stub:
            http = client(stub.url, retries=0, refusal=refusal)
            with pytest.raises(DeniedError, match="60, 3 bytes"):
                http.get("/")
            with pytest.raises(UnreadableError, match="answered 500"):
                http.get("/")
