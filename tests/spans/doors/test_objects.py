from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from datahub_llmops.errors import AccessError, DeniedError, UnreachableError
from datahub_llmops.spans.doors.objects import Place
from spans.doors.making import DAY, TODAY, as_line, call, key, open_door, run

NAMES = ["a.json", "a/b.json", "a/c/d.json", "a/c/e.bin", "f/_SUCCESS", "f/.part", "f/year=2026/g.json"]


def names(pattern: str, folder: Path) -> list[str]:
    found = Place(f"{folder}/{pattern}", {}).list(lambda start, end: True)
    return sorted(Path(one.name).relative_to(folder).as_posix() for one in found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("", ["a.json", "a/b.json", "a/c/d.json", "a/c/e.bin", "f/year=2026/g.json"]),
        ("a", ["a/b.json", "a/c/d.json", "a/c/e.bin"]),
        ("a/", ["a/b.json", "a/c/d.json", "a/c/e.bin"]),
        ("*.json", ["a.json"]),
        ("**/*.json", ["a.json", "a/b.json", "a/c/d.json", "f/year=2026/g.json"]),
        ("a/**", ["a/b.json", "a/c/d.json", "a/c/e.bin"]),
        ("*/c/*", ["a/c/d.json", "a/c/e.bin"]),
        ("f/year=*/**", ["f/year=2026/g.json"]),
        ("a/b.json", ["a/b.json"]),
    ],
)
def test_folders_and_patterns(folder: Path, pattern: str, found: list[str]) -> None:
    assert names(pattern, folder) == found


def test_a_folder_of_a_time_that_is_not_wanted_is_not_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(str(folder), {})
    listed: list[str] = []
    original = type(place._fs).ls

    def count(self: Any, path: str, *given: Any, **named: Any) -> Any:
        listed.append(path)
        return original(self, path, *given, **named)

    monkeypatch.setattr(type(place._fs), "ls", count)
    assert len(list(place.list(lambda start, end: False))) == 4
    assert not any("year=2026" in path for path in listed)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def storage(endpoint: str) -> dict[str, Any]:
    return {
        "key": "test",
        "secret": "SECRET-of-the-bucket",
        "client_kwargs": {"endpoint_url": endpoint, "region_name": "us-east-1"},
    }


@pytest.fixture
def bucket(endpoint: str) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="traces")
    yield client
    for one in client.list_objects_v2(Bucket="traces").get("Contents", []):
        client.delete_object(Bucket="traces", Key=one["Key"])
    client.delete_bucket(Bucket="traces")


def test_a_bucket_of_s3(bucket: Any, storage: dict[str, Any]) -> None:
    for number in range(1, 4):
        at = TODAY - DAY * number + 40_000.0
        name = f"otel/{key(at, 'year=%Y/month=%m/day=%d/hour=%H/minute=%M')}/traces_{number}.json"
        bucket.put_object(Bucket="traces", Key=name, Body=as_line([call(number, at=at)]).strip())
    pattern = "s3://traces/otel/year=*/month=*/day=*/**"
    first = run(pattern, storage=storage, max_days=3)
    assert first.days == (TODAY - 2 * DAY, TODAY - DAY)
    assert len(first.counted.answers) == 2
    assert not first.problems
    assert run(pattern, storage=storage, max_days=3, position=first.position).days == ()
    # The same size, and another content: S3's entity tag tells.
    at = TODAY - DAY + 40_000.0
    name = f"otel/{key(at, 'year=%Y/month=%m/day=%d/hour=%H/minute=%M')}/traces_1.json"
    bucket.put_object(Bucket="traces", Key=name, Body=as_line([call(9, at=at)]).strip())
    again = run(pattern, storage=storage, max_days=3, position=first.position)
    assert again.days == (TODAY - DAY,)
    assert len(open_door(pattern, storage=storage).trace(call(9).trace, None)) == 1


def test_what_a_bucket_refuses_is_said_without_its_secret(
    bucket: Any, storage: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AccessError, match="There is nothing at s3://missing") as missing:
        run("s3://missing/otel", storage=storage)
    away = {**storage, "client_kwargs": {**storage["client_kwargs"], "endpoint_url": "http://127.0.0.1:9"}}
    away["config_kwargs"] = {"retries": {"max_attempts": 1}, "connect_timeout": 1}
    with pytest.raises(UnreachableError, match="Check the address") as unreachable:
        run("s3://traces/otel", storage=away)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    nobody = {name: one for name, one in storage.items() if name not in ("key", "secret")}
    with pytest.raises(DeniedError, match="s3:ListBucket") as denied:
        run("s3://traces/otel", storage=nobody)
    for raised in (missing, unreachable, denied):
        assert "SECRET" not in str(raised.value)
