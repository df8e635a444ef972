"""The rows that statements return when they change tables, at the top and in WITH."""

from __future__ import annotations

import pytest

from lineage.estate import inputs, outputs, read, titles

CASES: list[tuple[str, str, str, dict[str, str]]] = [
    # platform, SQL, input tables, output column -> source columns
    (
        "postgres",
        "delete from docs where tags is null returning id, body",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "sqlite",
        "delete from docs where id = 1 returning id, body",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "mariadb",
        "delete from docs where id = 1 returning id, body",
        "docs",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "postgres",
        "delete from docs d using authors a where a.id = d.author_id returning d.body, a.name as who",
        "docs authors",
        {"body": "docs.body", "who": "authors.name"},
    ),
    (
        "postgres",
        "update docs set tags = 'done' where tags is null returning id, upper(body) as text, tags",
        "docs",
        {"id": "docs.id", "text": "docs.body", "tags": ""},
    ),
    (
        "postgres",
        "update docs d set title = a.name from authors a where a.id = d.author_id returning d.id, title as t, d.body",
        "docs authors",
        {"id": "docs.id", "t": "authors.name", "body": "docs.body", "title": "authors.name"},
    ),
    (
        "postgres",
        "update docs d set title = a.name from authors a where a.id = d.author_id"
        " returning old.title as o, new.title as n, new.id",
        "docs authors",
        {"o": "docs.title", "n": "authors.name", "id": "docs.id"},
    ),
    (
        "duckdb",
        "update published set title = 'x' returning *",
        "published",
        {"id": "published.id", "title": "", "body": "published.body"},
    ),
    (
        "postgres",
        "insert into chunks (doc_id, chunk) select id, body from docs returning id, doc_id, chunk as text",
        "docs",
        {"id": "", "doc_id": "docs.id", "chunk": "docs.body", "text": "docs.body"},
    ),
    (
        "postgres",
        "insert into chunks (doc_id, chunk) select id, body from docs returning *",
        "docs",
        {"doc_id": "docs.id", "chunk": "docs.body"},
    ),
    (
        "postgres",
        "insert into chunks (doc_id, chunk) values (1, (select max(body) from docs)) returning chunk as text",
        "docs",
        {"doc_id": "", "chunk": "docs.body", "text": "docs.body"},
    ),
    ("postgres", "insert into log (x) values (1) returning id", "", {"id": ""}),
    (
        "postgres",
        "merge into docs t using comments s on t.id = s.doc_id when matched then update set body = s.body"
        " when not matched then insert (id, body) values (s.doc_id, s.body)"
        " returning merge_action() as what, t.id, t.body, s.id as k, t.title",
        "docs comments",
        {
            "what": "",
            "id": "comments.doc_id",
            "body": "comments.body",
            "k": "comments.id",
            "title": "docs.title",
        },
    ),
    (
        "mssql",
        "delete d output deleted.id, deleted.body as text from dbo.docs d join authors a on a.id = d.author_id",
        "docs authors",
        {"id": "docs.id", "text": "docs.body"},
    ),
    (
        "mssql",
        "update d set d.title = a.name output inserted.id, inserted.title as n, deleted.title as o, a.email"
        " from dbo.docs d join authors a on a.id = d.author_id",
        "docs authors",
        {"id": "docs.id", "n": "authors.name", "o": "docs.title", "email": "authors.email"},
    ),
    (
        "mssql",
        "insert into chunks (doc_id, chunk) output inserted.chunk as text, inserted.k select id, body from docs",
        "docs",
        {"doc_id": "docs.id", "chunk": "docs.body", "text": "docs.body", "k": ""},
    ),
    (
        "mssql",
        "merge docs as t using comments as s on t.id = s.doc_id when matched then update set t.body = s.body"
        " output $action as what, inserted.body as n, deleted.body as o;",
        "docs comments",
        {"what": "", "n": "comments.body", "o": "docs.body", "body": "comments.body"},
    ),
    (
        "mssql",
        "declare @ids table (k int, t nvarchar(max))\n"
        "insert into chunks (doc_id, chunk) output inserted.doc_id, inserted.chunk into @ids"
        " select id, body from docs\n"
        "insert into log (ref, text) select k, t from @ids",
        "docs",
        {"doc_id": "docs.id", "chunk": "docs.body", "ref": "docs.id", "text": "docs.body"},
    ),
    (
        "postgres",
        "with picked as (delete from comments where id < 5 returning doc_id)"
        " select d.id, d.body from docs d join picked p on p.doc_id = d.id",
        "docs comments",
        {"id": "docs.id", "body": "docs.body"},
    ),
    (
        "postgres",
        "with moved as (delete from docs returning *) insert into archive (k, t) select id, body from moved",
        "docs",
        {"k": "docs.id", "t": "docs.body"},
    ),
    (
        "postgres",
        "with s as (select id, body from docs), i as (insert into chunks (k, t) select id, body from s returning t)"
        " select t as text from i",
        "docs",
        {"k": "docs.id", "t": "docs.body", "text": "docs.body"},
    ),
    (
        "postgres",
        "with i as (insert into chunks (k, t) select id, body from docs) select name from authors",
        "docs authors",
        {"k": "docs.id", "t": "docs.body", "name": "authors.name"},
    ),
    (
        "postgres",
        "with q as (select id from docs for update skip locked limit 1)"
        " update docs d set tags = 'x' from q where q.id = d.id returning d.id, d.title || d.body as text",
        "docs",
        {"id": "docs.id", "text": "docs.title docs.body"},
    ),
]


@pytest.mark.parametrize(("platform", "sql", "tables", "columns"), CASES)
def test_returned_rows(platform: str, sql: str, tables: str, columns: dict[str, str]) -> None:
    known = "mysql" if platform == "mariadb" else platform
    lineage = read(known, sql)
    found = outputs(known, lineage)
    assert {name: found.get(name) for name in columns} == {
        name: set(sources.split()) for name, sources in columns.items()
    }
    assert inputs(known, lineage) == set(tables.split())
    assert titles(lineage) == []


def test_a_returned_column_that_no_table_has_is_a_warning() -> None:
    assert titles(read("postgres", "delete from docs returning nothing_like_it")) == [
        "Column not in the catalog"
    ]
