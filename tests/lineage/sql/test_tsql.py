"""T-SQL as people write it: without semicolons, with GO, SET NOCOUNT and table hints."""

from __future__ import annotations

import pytest

from datahub_llmops.lineage.job_config import UpstreamConfig
from datahub_llmops.lineage.sql.statements import Script, split
from lineage.estate import inputs, outputs, read, titles


def statements(sql: str) -> list[str]:
    dialect = UpstreamConfig(platform="mssql", sql="select 1").dialect
    return [one.text for one in split(Script(text=sql, origin="`sql`"), dialect)]


@pytest.mark.parametrize(
    "parts",
    [
        ["set nocount on", "select id, body from dbo.docs"],
        ["use shop", "set ansi_nulls on", "set nocount on", "select id from docs", "set nocount off"],
        ["declare @x int = 5", "declare @t table (id int)", "select id from docs where id > @x"],
        ["begin tran", "update d set tags = 'x' from docs d", "commit tran", "select id from docs"],
        ["select id, body into #t from docs", "select id from #t with (nolock)", "drop table #t"],
        ["select d.id from docs d with (nolock) join authors a with (nolock) on a.id = d.author_id"],
        ["with x as (select id from docs) select id from x", "print 'done'"],
        ["select id from docs for json path", "select name from authors", "return"],
        ["exec p @a = 1", "select id from docs"],
        ["update docs set title = 'a', tags = 'b' where id = 1", "set rowcount 0"],
        [
            "insert into c (id) select id from docs where not exists (select 1 from c)",
            "select @@rowcount as n",
        ],
    ],
)
def test_statements_need_no_semicolon(parts: list[str]) -> None:
    assert statements("\n".join(parts)) == parts
    assert statements(";\n".join(parts) + ";") == parts


def test_batches() -> None:
    sql = (
        "use shop\nGO\nset nocount on\n  go 5\nselect id, 'x\ngo\n' as a from docs\ngo -- end\n"
        "/*\ngo\n*/select 1 as b"
    )
    assert statements(sql) == [
        "use shop",
        "set nocount on",
        "select id, 'x\ngo\n' as a from docs",
        "select 1 as b",
    ]


def test_positions_stay() -> None:
    lineage = read("mssql", "use shop\nGO\nset nocount on\nGO\nselect id,\n  body from docs where )")
    assert lineage.warnings[0].context == "statement 3 (select id, body ...) at line 5 of `sql`"
    assert "at line 6, column 24 of `sql`" in lineage.warnings[0].message


def test_a_batch_with_everything_is_quiet() -> None:
    sql = """use shop
go
set nocount on
set xact_abort on
declare @since int = 5
begin tran
select d.id, d.body as text into #live from dbo.docs d with (nolock) where d.id > @since
insert into chunks (doc_id, chunk) select id, text from #live
commit tran
print 'done'
go"""
    lineage = read("mssql", sql)
    assert titles(lineage) == []
    assert inputs("mssql", lineage) == {"docs"}
    assert outputs("mssql", lineage) == {"doc_id": {"docs.id"}, "chunk": {"docs.body"}}
