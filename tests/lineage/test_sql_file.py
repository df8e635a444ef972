from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.sql_file import read_sql_file
from lineage.estate import outputs, read, titles


def refused(path: Path | str) -> str:
    with pytest.raises(ValueError, match="sql_file") as raised:
        read_sql_file(str(path))
    return str(raised.value)


def test_it_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "embed.sql").write_text("select 'ü' as a", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_sql_file("embed.sql") == "select 'ü' as a"
    (tmp_path / "link.sql").symlink_to(tmp_path / "embed.sql")
    assert read_sql_file("link.sql") == "select 'ü' as a"


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"'x.sql' cannot be read from {tmp_path}: No such file" in refused("x.sql")


def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path) -> None:
    assert "not a plain file, but a folder" in refused(tmp_path)
    os.mkfifo(tmp_path / "fifo.sql")
    assert "not a plain file, but a pipe" in refused(tmp_path / "fifo.sql")
    (tmp_path / "link.sql").symlink_to("/dev/zero")
    assert "not a plain file, but a device" in refused(tmp_path / "link.sql")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.sql"))
        assert "cannot be read" in refused(tmp_path / "s.sql")


def test_a_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "huge.sql"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert "too large" in refused(path)


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("utf-16", "is UTF-16; save it as UTF-8"),
        ("utf-32", "is UTF-32; save it as UTF-8"),
        ("utf-16-le", "it is UTF-16 or not text. Save it as UTF-8"),
        ("latin-1", "line 2 has bytes of another encoding. Save it as UTF-8"),
    ],
)
@pytest.mark.parametrize("comment", ["für", "for"])
def test_another_encoding_is_named(tmp_path: Path, encoding: str, says: str, comment: str) -> None:
    path = tmp_path / "x.sql"
    path.write_bytes(f"select body\nfrom docs -- {comment}".encode(encoding))
    if encoding == "latin-1" and comment == "for":
        assert read_sql_file(str(path)).endswith("for")
    else:
        assert says in refused(path)


def test_byte_order_marks_are_no_part_of_the_sql(tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text("\ufeffselect id, body from docs;\n\ufeffselect name from authors", encoding="utf-8")
    config = UpstreamConfig(platform="postgres", sql_file=str(path))
    assert config.text == " select id, body from docs;\n select name from authors"
    lineage = read("postgres", path.read_text(encoding="utf-8"))
    assert outputs("postgres", lineage).keys() == {"id", "body", "name"}
    assert titles(lineage) == []
