"""The command ``datahub-llmops``, on catalogs that the real sink wrote and on the recorded server."""

from __future__ import annotations

import json
import os
import platform
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import pytest
from click import unstyle
from click.testing import CliRunner, Result
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.run.pipeline import Pipeline
from datahub.metadata.schema_classes import (
    AuditStampClass,
    CorpUserInfoClass,
    DataJobInfoClass,
    DataJobInputOutputClass,
    DatasetLineageTypeClass,
    DatasetPropertiesClass,
    EdgeClass,
    FineGrainedLineageClass,
    GlobalTagsClass,
    GlossaryTermAssociationClass,
    GlossaryTermsClass,
    MetadataChangeProposalClass,
    OwnerClass,
    OwnershipClass,
    StatusClass,
    SubTypesClass,
    TagAssociationClass,
    UpstreamClass,
    UpstreamLineageClass,
    _Aspect,
)

from catalog.recorded import proposals, recorded_server, stored, write_local
from datahub_llmops import __version__
from datahub_llmops.catalog.column_uses import USED_COLUMNS, StatedUses, write_uses
from datahub_llmops.catalog.local.catalog import LocalCatalog
from datahub_llmops.catalog.protocol import Record
from datahub_llmops.cli.main import main
from support.stub import refused_url

INDEX = "urn:li:dataset:(urn:li:dataPlatform:chroma,default_database.reviews,PROD)"
CUSTOMERS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.customers,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-reviews)"
PERSONAL = "urn:li:glossaryTerm:PersonalData"
EVIL = "\x1b]0;pwned\x07[bold]evil[/bold]\x9b31m\u202egnp.exe\n:smile:"


def table(name: str) -> str:
    return f"urn:li:dataset:(urn:li:dataPlatform:sqlite,{name},PROD)"


def proposal(urn: str, aspect: _Aspect) -> MetadataChangeProposalClass:
    return MetadataChangeProposalWrapper(entityUrn=urn, aspect=aspect).make_mcp()


def fed_by(urn: str, *upstreams: str, ways: str | None = None) -> MetadataChangeProposalClass:
    """A table, and what feeds it."""
    properties = {"found_by": ways} if ways else None
    lineage = [
        UpstreamClass(dataset=up, type=DatasetLineageTypeClass.TRANSFORMED, properties=properties)
        for up in upstreams
    ]
    return proposal(urn, UpstreamLineageClass(upstreams=lineage))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The recorded model."""
    write_local(tmp_path / "catalog.db", proposals()).close()
    return tmp_path / "catalog.db"


def catalog_of(tmp_path: Path, *written: MetadataChangeProposalClass) -> Path:
    write_local(tmp_path / "catalog.db", list(written)).close()
    return tmp_path / "catalog.db"


def run(path: Path | str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--catalog", str(path), *arguments])


def output(path: Path | str, *arguments: str) -> str:
    result = run(path, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_lineage_tree(path: Path) -> None:
    assert output(path, "lineage", "chroma:default_database.reviews") == (
        "reviews  Vector Collection · chroma  ◆ Personal data\n"
        "└── embed-reviews  Embedding Job · airflow\n"
        "    ├── shop.public.customers  Table · postgres  owned by datahub  ◆ Personal data  found by declared\n"
        "    ├── shop.public.reviews  Table · postgres  found by declared\n"
        "    └── text-embedding-3-small  Model · openai\n"
        "4 assets upstream, within 5 hops.\n"
    )


def test_lineage_of_a_column_down_with_columns(path: Path) -> None:
    assert output(path, "lineage", "postgres:shop.public.customers#email", "--down", "--columns") == (
        "email  Column of shop.public.customers · postgres  ◆ Personal data\n"
        "└── embed-reviews  Embedding Job · airflow  found by declared\n"
        "    └── reviews  Vector Collection · chroma  ◆ Personal data\n"
        "          shop.public.customers.email → reviews.customer_email\n"
        "2 assets downstream, within 5 hops.\n"
        "1 more asset reads reviews without column lineage: reviews-retriever\n"
    )


def test_lineage_json_is_the_contract(path: Path) -> None:
    walk = json.loads(output(path, "lineage", INDEX, "--json"))
    assert list(walk) == ["root", "direction", "nodes", "edges"]
    assert (walk["root"], walk["direction"]) == (INDEX, "up")
    assert walk["nodes"][0] == {
        "urn": INDEX,
        "type": "dataset",
        "subtype": "Vector Collection",
        "platform": "chroma",
        "name": "reviews",
        "owners": [],
        "terms": [PERSONAL],
        "tags": [],
        "hops": 0,
    }
    assert list(walk["nodes"][0])[-1] == "hops"
    (edge,) = [edge for edge in walk["edges"] if edge["downstream"] == INDEX]
    assert list(edge) == ["upstream", "downstream", "aspect", "found_by", "columns"]
    assert (edge["upstream"], edge["aspect"], edge["found_by"]) == (JOB, "dataJobInputOutput", [])
    assert edge["columns"][0] == {
        "upstream": f"urn:li:schemaField:({CUSTOMERS},email)",
        "downstream": f"urn:li:schemaField:({INDEX},customer_email)",
    }


def test_lineage_stops_at_the_hops_and_says_so(path: Path) -> None:
    text = output(path, "lineage", INDEX, "--hops", "1")
    assert "customers" not in text
    assert text.endswith("1 asset upstream, within 1 hop. There may be more: --hops N goes further.\n")
    assert output(path, "lineage", "shop.public.reviews").endswith(
        "Nothing upstream of it is in the catalog.\n"
    )


def test_shared_assets_are_drawn_out_once(tmp_path: Path) -> None:
    """a <- b, c <- d <- e: what is behind d stands under the first of the two only. And a cycle ends."""
    catalog = catalog_of(
        tmp_path,
        fed_by(table("a"), table("b"), table("c"), ways="declared,payload"),
        fed_by(table("b"), table("d")),
        fed_by(table("c"), table("d")),
        fed_by(table("d"), table("e")),
        fed_by(table("e"), table("a")),
    )
    assert output(catalog, "lineage", "sqlite:a") == (
        "a  Dataset · sqlite\n"
        "├── b  Dataset · sqlite  found by declared, payload\n"
        "│   └── d  Dataset · sqlite\n"
        "│       └── e  Dataset · sqlite\n"
        "│           └── a  Dataset · sqlite  (shown elsewhere in this tree)\n"
        "└── c  Dataset · sqlite  found by declared, payload\n"
        "    └── d  Dataset · sqlite  (shown elsewhere in this tree)\n"
        "4 assets upstream, within 5 hops.\n"
    )


def test_assets_never_emitted_are_shown_as_such(tmp_path: Path) -> None:
    job = "urn:li:dataJob:(urn:li:dataFlow:(airflow,f,PROD),j)"
    from datahub.metadata.schema_classes import DataJobInputOutputClass

    def reads(urn: str, source: str, target: str) -> MetadataChangeProposalClass:
        return proposal(urn, DataJobInputOutputClass(inputDatasets=[source], outputDatasets=[target]))

    catalog = catalog_of(
        tmp_path,
        proposal(table("a"), SubTypesClass(typeNames=["Table"])),
        reads(job, table("ghost"), table("a")),
        reads(job.replace(",j)", ",k)"), table("z"), table("ghost")),
        proposal(table("z"), SubTypesClass(typeNames=["Table"])),
    )
    assert output(catalog, "lineage", "a") == (
        "a  Table · sqlite\n"
        "└── j  Job · airflow\n"
        "    └── ghost  not in the catalog\n"
        "        └── k  Job · airflow\n"
        "            └── z  Table · sqlite\n"
        "3 assets upstream, within 5 hops.\n"
    )


def test_show(path: Path) -> None:
    assert output(path, "show", "default_database.reviews") == (
        "reviews  Vector Collection · chroma  ◆ Personal data\n"
        f"{INDEX}\n"
        "\n"
        "Dimension        768\n"
        "Embedding model  text-embedding-3-small\n"
        "Metric           cosine\n"
        "Rows             12,345\n"
        "Columns          3\n"
        "Size             4.0 MB\n"
        "Last updated     2026-11-23 21:30 UTC\n"
        "Depends on       1 embedding job: embed-reviews\n"
        "Used by          1 retriever: reviews-retriever\n"
        "\n"
        "Column          Type         Terms and tags\n"
        "embedding       vector(768)\n"
        "document        string\n"
        "customer_email  string       Personal data (propagated from shop.public.customers.email)\n"
    )


def test_show_column(path: Path) -> None:
    text = output(path, "show", "default_database.reviews#customer_email")
    assert text.startswith("customer_email  Column of reviews · chroma  ◆ Personal data\n")
    assert "customer_email  string  Personal data (propagated from shop.public.customers.email)\n" in text
    assert "embedding" not in text.replace("1 embedding job", "")


def test_show_what_people_set(tmp_path: Path) -> None:
    ada = "urn:li:corpuser:ada"
    stamp = AuditStampClass(time=0, actor=ada)
    catalog = catalog_of(
        tmp_path,
        proposal(ada, CorpUserInfoClass(active=True, displayName="Ada Lovelace")),
        proposal(
            table("main.people"),
            DatasetPropertiesClass(
                description="Who they are.\nAll of them.", customProperties={"grain": "a person"}
            ),
        ),
        proposal(table("main.people"), OwnershipClass(owners=[OwnerClass(owner=ada, type="DATAOWNER")])),
        proposal(
            table("main.people"),
            GlossaryTermsClass(terms=[GlossaryTermAssociationClass(urn=PERSONAL)], auditStamp=stamp),
        ),
        proposal(table("main.people"), GlobalTagsClass(tags=[TagAssociationClass(tag="urn:li:tag:pii")])),
    )
    assert output(catalog, "show", "people") == (
        "main.people  Dataset · sqlite  owned by Ada Lovelace  ◆ PersonalData  # pii\n"
        f"{table('main.people')}\n"
        "\n"
        "Who they are.\n"
        "All of them.\n"
        "\n"
        "Owners  Ada Lovelace (dataowner)\n"
        "Terms   PersonalData\n"
        "Tags    pii\n"
        "grain   a person\n"
    )


def test_show_removed(tmp_path: Path) -> None:
    catalog = catalog_of(
        tmp_path,
        proposal(table("old"), SubTypesClass(typeNames=["Table"])),
        proposal(table("old"), StatusClass(removed=True)),
    )
    assert "Soft-deleted" in output(catalog, "show", table("old"))
    assert json.loads(output(catalog, "show", table("old"), "--json"))["aspects"]["status"] == {
        "removed": True
    }
    assert run(catalog, "show", "old").exit_code == 1
    assert run(catalog, "lineage", table("old")).exit_code == 1


def test_show_json(path: Path) -> None:
    shown = json.loads(output(path, "show", "default_database.reviews", "--json"))
    assert shown["aspects"]["subTypes"] == {"typeNames": ["Vector Collection"]}
    assert shown["latest"]["datasetProfile"]["rowCount"] == 12345
    assert (shown["name"], shown["upstream"]) == ("reviews", [JOB])
    assert "hops" not in shown


def test_search(path: Path) -> None:
    text = output(path, "search", "public", "custom")
    assert text.splitlines()[0].split() == [
        "Name",
        "Kind",
        "Platform",
        "Owners",
        "Terms",
        "and",
        "tags",
        "URN",
    ]
    assert text.splitlines()[1].split() == [
        "shop.public.customers",
        "Table",
        "postgres",
        "datahub",
        "Personal",
        "data",
        CUSTOMERS,
    ]
    found = json.loads(output(path, "search", "customers", "--json"))
    assert [node["urn"] for node in found["nodes"]] == [CUSTOMERS]
    assert run(path, "search", "nothing", "here").exit_code == 1


def test_ambiguous_and_unknown_names(path: Path) -> None:
    ambiguous = run(path, "show", "reviews")
    assert ambiguous.exit_code == 1
    assert INDEX in ambiguous.stderr
    assert ambiguous.stdout == ""
    for typed in (
        "nope",
        "mysql:shop.public.customers",
        "nope#email",
        table("nope"),
        "customers#nope",
        "#",
        "",
    ):
        for command in ("lineage", "show"):
            result = run(path, command, typed)
            assert result.exit_code == 1, (command, typed)
            assert "Error: " in result.stderr


def test_exit_codes(path: Path, tmp_path: Path) -> None:
    assert run(path, "lineage").exit_code == 2
    assert run(path, "lineage", "x", "--sideways").exit_code == 2
    assert run(path, "lineage", "x", "--hops", "0").exit_code == 2
    absent = run(tmp_path / "absent.db", "lineage", "x")
    assert absent.exit_code == 1
    assert "absent.db" in absent.stderr
    (tmp_path / "text.db").write_text("no database")
    assert run(tmp_path / "text.db", "search", "x").exit_code == 1
    versions = f"(DataHub {version('acryl-datahub')}, Python {platform.python_version()})"
    assert CliRunner().invoke(main, ["--version"]).stdout == f"datahub-llmops {__version__} {versions}\n"
    with refused_url() as url:
        assert run(url, "show", INDEX).exit_code == 1


@pytest.mark.parametrize("command", [["lineage"], ["show"], ["search"], ["export"], []])
def test_help_shows_examples(command: list[str]) -> None:
    text = CliRunner().invoke(main, [*command, "--help"]).stdout
    assert "datahub-llmops" in text or "source:" in text


def evil_catalog(tmp_path: Path) -> Path:
    name = "main.evil"
    return catalog_of(
        tmp_path,
        proposal(
            table(name),
            DatasetPropertiesClass(name=EVIL, description=EVIL, customProperties={EVIL: EVIL}),
        ),
        proposal(table(name), SubTypesClass(typeNames=[EVIL])),
        proposal(table(name), GlobalTagsClass(tags=[TagAssociationClass(tag=f"urn:li:tag:{EVIL}")])),
        fed_by(table(name), table("a" + EVIL), ways=EVIL),
        proposal(table("a" + EVIL), SubTypesClass(typeNames=["Table"])),
        proposal(table(EVIL + ".evil"), SubTypesClass(typeNames=["Table"])),
    )


@pytest.mark.parametrize(
    "command", ["show", "lineage", "search", "lineage --json", "show --json", "ambiguous", "unknown"]
)
def test_metadata_cannot_steer_the_terminal(tmp_path: Path, command: str) -> None:
    catalog = evil_catalog(tmp_path)
    first, *rest = command.split()
    if command in ("ambiguous", "unknown"):
        result = run(catalog, "show", "evil" if command == "ambiguous" else EVIL)
    else:
        result = run(catalog, first, "evil" if first == "search" else table("main.evil"), *rest)
    shown = result.stdout + result.stderr
    assert not set(shown) & set("\x1b\x07\x9b\u202e")
    assert "[bold]evil[/bold]" in shown
    assert ":smile:" in shown


def test_a_terminal_gets_colours_and_no_foreign_escapes(tmp_path: Path) -> None:
    catalog = evil_catalog(tmp_path)
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    env.pop("NO_COLOR", None)
    code = "from datahub_llmops.cli.main import main; main()"
    command = [sys.executable, "-c", code, "--catalog", str(catalog), "show", table("main.evil")]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        text = b"".join(iter(lambda: _read(ours), b"")).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "\x1b[1m" in text
    assert "\x1b]0;" not in text
    assert "\x9b" not in text
    assert "\\x1b]0;pwned" in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_long_urns_are_not_wrapped_in_a_pipe(tmp_path: Path) -> None:
    long = table("main." + "x" * 300)
    catalog = catalog_of(tmp_path, proposal(long, SubTypesClass(typeNames=["Table"])))
    assert long in output(catalog, "search", "xxx")
    assert long in output(catalog, "show", long)


def test_a_terminal_that_is_too_narrow_for_a_table_does_not_fold_urns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = table("main.entries")
    catalog = catalog_of(tmp_path, proposal(named, SubTypesClass(typeNames=["Table"])))
    found = {}
    for width in ("40", "120"):
        monkeypatch.setenv("COLUMNS", width)
        terminal = StringIO()
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdout", terminal)
        main(["--catalog", str(catalog), "search", "entries"], standalone_mode=False)
        found[width] = unstyle(terminal.getvalue())
    assert found["40"].splitlines() == ["main.entries  Table · sqlite", f"  {named}"]
    assert found["120"].splitlines()[0].split()[:3] == ["Name", "Kind", "Platform"]
    assert named in found["120"]


def test_long_names_are_cut_in_tables_and_blank_ones_are_quoted(tmp_path: Path) -> None:
    long, blank = "a" * 5000 + "z", "\u3164 "
    written = catalog_of(
        tmp_path,
        *(
            proposal(table(f"t{number}"), DatasetPropertiesClass(name=name, description="found"))
            for number, name in enumerate((long, blank))
        ),
    )
    listed = output(written, "search", "found").splitlines()
    assert max(map(len, listed)) < 400
    assert any(line.startswith("aaa") and "a…a" in line and "az " in line for line in listed)
    assert any(line.startswith('"\\u3164 "  ') for line in listed)
    names = {node["name"] for node in json.loads(output(written, "search", "found", "--json"))["nodes"]}
    assert names == {long, blank}


def test_nothing_of_datahub_is_imported(path: Path) -> None:
    """In a process of its own; what is on stdout at its end is what was imported."""
    for command in (["show", INDEX], ["lineage", INDEX], ["search", "reviews"], ["--help"]):
        code = (
            "import sys\n"
            "from datahub_llmops.cli.main import main\n"
            f"try: main({['--catalog', str(path), *command]!r})\n"
            "except SystemExit as end: assert not end.code\n"
            "print('IMPORTED', sorted({name.partition('.')[0] for name in sys.modules}))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        imported = done.stdout.rpartition("IMPORTED ")[2]
        assert "'click'" in imported
        for heavy in ("datahub", "pydantic", "requests", "avro"):
            assert f"'{heavy}'" not in imported
        assert ("'rich'" in imported) == (command != ["--help"])


def records(path: Path) -> list[Record]:
    with LocalCatalog(path) as catalog:
        return sorted(
            catalog.records(), key=lambda record: (record.urn, record.name, json.dumps(record.aspect))
        )


def test_export_replays_into_the_same_catalog(path: Path, tmp_path: Path) -> None:
    """DataHub's ``file`` source reads the export, and the sink makes the same catalog of it."""
    exported, again = tmp_path / "export.json", tmp_path / "again.db"
    assert output(path, "export", str(exported)).startswith(f"Wrote {len(records(path))} records to ")
    assert len(json.loads(exported.read_text())) == len(records(path))
    recipe = {
        "source": {"type": "file", "config": {"path": str(exported)}},
        "sink": {"type": "llm-local", "config": {"path": str(again)}},
    }
    pipeline = Pipeline.create(recipe)
    pipeline.run()
    pipeline.raise_from_status()
    assert records(again) == records(path)


def test_export_order(path: Path, tmp_path: Path) -> None:
    """As a server takes it: definitions before what uses them, the version set after its versions."""
    output(path, "export", str(tmp_path / "export.json"))
    kinds = [proposal["entityType"] for proposal in json.loads((tmp_path / "export.json").read_text())]
    last_definition = max(at for at, kind in enumerate(kinds) if kind == "structuredProperty")
    assert last_definition < min(at for at, kind in enumerate(kinds) if kind == "dataset")
    assert kinds.index("versionSet") > max(at for at, kind in enumerate(kinds) if kind == "dataset")


def test_export_overwrites_when_told_only(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "export.json"
    target.write_text("mine")
    refused = run(path, "export", str(target))
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert target.read_text() == "mine"
    output(path, "export", str(target), "--force")
    assert json.loads(target.read_text())
    assert run(path, "export", str(tmp_path / "no" / "folder.json")).exit_code == 1
    assert run(path, "export", str(tmp_path), "--force").exit_code == 1


def test_export_that_breaks_leaves_what_was_there(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "export.json"
    target.write_text("mine")
    with sqlite3.connect(path) as connection:
        connection.execute("drop table series")
    connection.close()
    before = sorted(tmp_path.iterdir())
    assert run(path, "export", str(target), "--force").exit_code == 1
    assert target.read_text() == "mine"
    assert [file for file in tmp_path.iterdir() if file.suffix == ".part"] == []
    assert before


@pytest.fixture
def url() -> Iterator[str]:
    with recorded_server(stored(proposals())) as (_, stub):
        yield stub.url


@pytest.mark.parametrize(
    "command",
    [
        ["lineage", "chroma:default_database.reviews", "--columns"],
        ["lineage", INDEX, "--json"],
        ["lineage", INDEX, "--down"],
        ["show", INDEX],
        ["show", "chroma:default_database.reviews"],
    ],
)
def test_a_server_looks_as_the_file_does(path: Path, url: str, command: list[str]) -> None:
    assert output(url, *command) == output(path, *command)


def test_the_environment_names_the_catalog(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAHUB_LLMOPS_CATALOG", str(path))
    assert CliRunner().invoke(main, ["show", INDEX]).exit_code == 0


SINCE = "2026-11-29T05:30:00+00:00"


def unconfirmed_model() -> list[MetadataChangeProposalClass]:
    """The recorded model, after a run that could not resolve the embedding job."""
    found = proposals()
    for one in found:
        if (one.entityUrn, one.aspectName) == (JOB, "dataJobInputOutput"):
            assert one.aspect
            aspect = json.loads(one.aspect.value)
            for edge in aspect["inputDatasetEdges"]:
                if edge["destinationUrn"] == CUSTOMERS:
                    edge["properties"] = {**edge.get("properties", {}), "not_confirmed_since": SINCE}
            one.aspect.value = json.dumps(aspect).encode()
    return found


def check_that_marks_are_shown(where: Path | str) -> None:
    lineage = output(where, "lineage", INDEX)
    marked = [line for line in lineage.splitlines() if "not confirmed since 2026-11-29 05:30 UTC" in line]
    assert len(marked) == 1
    assert "── shop.public.customers  Table · postgres" in marked[0]
    walk = json.loads(output(where, "lineage", INDEX, "--json"))
    assert {
        (edge["upstream"], edge["downstream"]): edge["not_confirmed_since"]
        for edge in walk["edges"]
        if "not_confirmed_since" in edge
    } == {(CUSTOMERS, JOB): SINCE}
    column = json.loads(output(where, "lineage", f"urn:li:schemaField:({INDEX},customer_email)", "--json"))
    assert [edge.get("not_confirmed_since") for edge in column["edges"]] == [None, SINCE] or [
        edge.get("not_confirmed_since") for edge in column["edges"]
    ] == [SINCE, None]


def test_an_edge_that_is_not_confirmed_is_marked_in_a_local_catalog(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, *unconfirmed_model())
    check_that_marks_are_shown(catalog)
    shown = output(catalog, "show", JOB)
    assert "Lineage  " in shown
    assert "shop.public.customers → embed-reviews not confirmed since 2026-11-29 05:30 UTC\n" in shown
    (edge,) = json.loads(output(catalog, "show", JOB, "--json"))["not_confirmed"]
    assert (edge["upstream"], edge["downstream"], edge["not_confirmed_since"]) == (CUSTOMERS, JOB, SINCE)
    assert "not_confirmed" not in json.loads(output(catalog, "show", INDEX, "--json"))


def test_an_edge_that_is_not_confirmed_is_marked_on_a_server() -> None:
    with recorded_server(stored(unconfirmed_model())) as (_, stub):
        lineage = output(stub.url, "lineage", INDEX)
        assert lineage.count("not confirmed since 2026-11-29 05:30 UTC") == 1
        edges = json.loads(output(stub.url, "lineage", INDEX, "--json"))["edges"]
    assert {edge["upstream"] for edge in edges if "not_confirmed_since" in edge} == {CUSTOMERS}


def test_the_mark_goes_with_the_next_good_run(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, *unconfirmed_model())
    catalog_of(tmp_path, *proposals())
    assert "not confirmed" not in output(catalog, "lineage", INDEX)


def test_a_catalog_without_the_table_of_marks_is_read_and_gets_it(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, *proposals())
    with sqlite3.connect(catalog) as database:
        database.execute("drop table edge_not_confirmed")
    assert "embed-reviews" in output(catalog, "lineage", INDEX)
    catalog_of(tmp_path, *unconfirmed_model())
    check_that_marks_are_shown(catalog)


def test_the_walk_of_a_column_names_what_it_does_not_reach(tmp_path: Path) -> None:
    def fine(up: str, down: str) -> FineGrainedLineageClass:
        return FineGrainedLineageClass(
            upstreamType="FIELD_SET", upstreams=[up], downstreamType="FIELD", downstreams=[down]
        )

    def field(asset: str, name: str) -> str:
        return f"urn:li:schemaField:({table(asset)},{name})"

    def copied(asset: str, *pairs: tuple[str, str]) -> MetadataChangeProposalClass:
        upstream = UpstreamClass(dataset=table("reviews"), type=DatasetLineageTypeClass.COPY)
        fine_grained = [fine(field("reviews", up), field(asset, down)) for up, down in pairs]
        return proposal(
            table(asset), UpstreamLineageClass(upstreams=[upstream], fineGrainedLineages=fine_grained)
        )

    catalog = catalog_of(
        tmp_path,
        proposal(table("reviews"), SubTypesClass(typeNames=["Table"])),
        copied("by_customer", ("customer_id", "customer")),
        copied("joined", ("body", "text")),
        copied("backup"),
        copied("archive"),
    )
    assert output(catalog, "lineage", "sqlite:reviews#customer_id", "--down") == (
        "customer_id  Column of reviews · sqlite\n"
        "└── by_customer  Dataset · sqlite\n"
        "1 asset downstream, within 5 hops.\n"
        "2 more assets read reviews without column lineage: archive, backup\n"
        "1 more asset reads other columns of reviews and may join or filter by this one: joined\n"
    )
    assert json.loads(output(catalog, "lineage", "sqlite:reviews#customer_id", "--down", "--json"))[
        "stops"
    ] == [
        {"reached": table("reviews"), "beyond": table("archive"), "columns_known": False},
        {"reached": table("reviews"), "beyond": table("backup"), "columns_known": False},
        {"reached": table("reviews"), "beyond": table("joined"), "columns_known": True},
    ]


def test_a_column_shows_the_jobs_that_join_by_it(tmp_path: Path) -> None:
    def edge(urn: str, **properties: str) -> EdgeClass:
        return EdgeClass(destinationUrn=urn, properties=properties)

    def job(name: str) -> str:
        return f"urn:li:dataJob:(urn:li:dataFlow:(airflow,kb,PROD),{name})"

    def written(name: str, index: str, **properties: str) -> list[MetadataChangeProposalClass]:
        fine = FineGrainedLineageClass(
            upstreamType="FIELD_SET",
            upstreams=[f"urn:li:schemaField:({table('reviews')},body)"],
            downstreamType="FIELD",
            downstreams=[f"urn:li:schemaField:({table(index)},text)"],
        )
        edges = DataJobInputOutputClass(
            inputDatasets=[],
            outputDatasets=[],
            inputDatasetEdges=[edge(table("reviews"))],
            outputDatasetEdges=[edge(table(index), **properties)],
            fineGrainedLineages=[fine],
        )
        kind = SubTypesClass(typeNames=["Embedding Job"])
        info = DataJobInfoClass(name=name, type="SQL")
        return [proposal(job(name), aspect) for aspect in (info, kind, edges)]

    stated = StatedUses(columns={table("reviews"): {"customer_id": ["filter", "join"]}})
    catalog = catalog_of(
        tmp_path,
        proposal(table("reviews"), SubTypesClass(typeNames=["Table"])),
        proposal(table("docs"), SubTypesClass(typeNames=["Vector Collection"])),
        proposal(table("more"), SubTypesClass(typeNames=["Vector Collection"])),
        *written("embed-docs", "docs", **{USED_COLUMNS: write_uses({"kb": stated})}),
        *written("embed-more", "more"),
    )
    asked = "urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:sqlite,reviews,PROD),customer_id)"
    shown = output(catalog, "lineage", asked, "--down")
    assert "used in: join, filter  reviews.customer_id → embed-docs → docs\n" in shown
    assert (
        "1 more asset reads other columns of reviews and may join or filter by this one: embed-more\n"
        in shown
    )
    found = json.loads(output(catalog, "lineage", asked, "--down", "--json"))
    assert found["uses"] == [
        {"column": asked, "job": job("embed-docs"), "index": table("docs"), "used_in": ["join", "filter"]},
        {"column": asked, "job": job("embed-more"), "index": None, "used_in": []},
    ]
    shown = output(catalog, "affected", asked)
    assert "embed-docs (used in: join, filter)" in shown
    assert "docs: how many chunks it has is not known (used in: join, filter)" in shown
    assert "join, filter: reviews.customer_id → embed-docs → docs" in shown
    assert "embed-more reads reviews and does not say whether it joins or filters by its columns" in shown
    assert "used in" not in output(catalog, "affected", asked.replace("customer_id", "body"))


def test_a_singular_finds_the_plural_and_the_other_way_round(tmp_path: Path) -> None:
    names = ["main.entries", "main.boxes", "main.address", "main.statuses", "main.entry_docs"]
    catalog = catalog_of(
        tmp_path, *(proposal(table(name), SubTypesClass(typeNames=["Table"])) for name in names)
    )

    def found(*words: str) -> set[str]:
        return {node["name"] for node in json.loads(output(catalog, "search", *words, "--json"))["nodes"]}

    assert found("entry") == found("entries") == {"main.entries", "main.entry_docs"}
    assert found("box") == found("boxes") == {"main.boxes"}
    assert found("addresses") == {"main.address"}
    assert found("status") == {"main.statuses"}
    assert run(catalog, "search", "entro").exit_code == 1
