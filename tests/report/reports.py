"""Reports for tests of pages: a small estate with everything that a page shows, and names that try to be more."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from datahub_llmops.report.model import (
    Answer,
    AnswerDocument,
    AnswerJob,
    AnswerModel,
    AnswerPrompt,
    Asset,
    Check,
    Column,
    ColumnEdge,
    ColumnRef,
    ColumnUse,
    Edge,
    Fact,
    Incident,
    LabelMove,
    Mark,
    Owner,
    Prompt,
    PromptFinding,
    PromptUse,
    PromptVersion,
    Report,
    Run,
    Score,
    Table,
    Text,
    Usage,
)

CUSTOMERS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.customers,PROD)"
ORDERS = "urn:li:dataset:(urn:li:dataPlatform:postgres,shop.public.orders,PROD)"
JOB = "urn:li:dataJob:(urn:li:dataFlow:(airflow,nightly,PROD),embed-docs)"
MODEL = "urn:li:mlModel:(urn:li:dataPlatform:openai,text-embedding-3-small,PROD)"
INDEX = "urn:li:dataset:(urn:li:dataPlatform:qdrant,docs,PROD)"
RETRIEVER = "urn:li:dataset:(urn:li:dataPlatform:langchain,bot.retriever,PROD)"
BOT = "urn:li:dataJob:(urn:li:dataFlow:(langchain,bot,PROD),bot)"
PROMPT = "urn:li:dataset:(urn:li:dataPlatform:langfuse,answer.v2,PROD)"
OLD_PROMPT = "urn:li:dataset:(urn:li:dataPlatform:langfuse,answer.v1,PROD)"
LOG = "urn:li:dataset:(urn:li:dataPlatform:langchain,bot.answers,PROD)"
GHOST = "urn:li:dataset:(urn:li:dataPlatform:s3,bucket/faq,PROD)"

PERSONAL = Mark(kind="term", urn="urn:li:glossaryTerm:personal", name="Personal data")
PASSED_ON = replace(PERSONAL, origin=f"urn:li:schemaField:({CUSTOMERS},email)", origin_name="customers.email")
TIME = "2026-11-29T04:00:00Z"

HOSTILE = (
    "<script>document.title='stolen'</script>",
    "</script><img src=x onerror=\"document.title='stolen'\">",
    "</noscript><b id=out>out</b>",
    "quotes \" ' ` & &lt; {{ 7 * 7 }}",
    "\u202eright to left\u202c",
    "x" * 10_000,
    "half a pair \ud800",
    "--><!-- ]]> \u2028",
)


def edge(upstream: str, downstream: str, *columns: tuple[str, str, str], since: str | None = None) -> Edge:
    """An edge; a column is its upstream asset, its upstream path, and its downstream path."""
    return Edge(
        upstream=upstream,
        downstream=downstream,
        aspect="upstreamLineage",
        found_by=("hook",),
        not_confirmed_since=since,
        columns=tuple(
            ColumnEdge(upstream=ColumnRef(asset, path), downstream=ColumnRef(downstream, target))
            for asset, path, target in columns
        ),
    )


def _columns(*paths: str) -> tuple[Column, ...]:
    return tuple(
        Column(path=path, type="text", marks=(PERSONAL,) if path == "email" else ()) for path in paths
    )


def sample() -> Report:
    """A report in which each field of the model has a value somewhere."""
    index = Asset(
        urn=INDEX,
        type="dataset",
        kind="Vector Collection",
        name="docs",
        platform="qdrant",
        path=("production",),
        description="What the bot reads.\nTwo lines.",
        owners=(Owner(urn="urn:li:corpuser:ada", name="Ada", role="technical owner"),),
        domains=("Support",),
        marks=(PASSED_ON, Mark(kind="tag", urn="urn:li:tag:gold", name="gold")),
        updated=TIME,
        url="https://qdrant.example/docs",
        facts=(Fact(title="Dimension", text="768"),),
        columns=(
            *_columns("text"),
            Column(path="contact", type="keyword", marks=(PASSED_ON,), description="Who asks."),
        ),
        tables=(
            Table(
                title="Vectors", columns=("name", "size", "sparse"), rows=(("dense", "768", ""), ("x", "3"))
            ),
            Table(title="Embedding", columns=("Name", "Value"), rows=(("chunking", "recursive"),)),
        ),
        verdict="not ok",
        checks=(
            Check(name="Fresh", kind="Index Health", verdict="not ok", message="customers changed", at=TIME),
            Check(name="Owner", kind="Index Health", verdict="not known", missing="Run the recipe."),
        ),
        incidents=(Incident(title="Stale index", kind="stale", description="Since Monday", since=TIME),),
        usage=Usage(calls=1200, days=3, first_day="2026-11-27", last_day="2026-11-29", errors=None),
    )
    version = PromptVersion(
        prompt="langfuse:answer",
        version="2",
        labels=("production",),
        variables=("question",),
        created=TIME,
        author="Jonas",
        message="shorter",
        model="gpt-5",
        settings=(Fact(title="temperature", text="0.2"),),
        digest="t1:abc",
        scores=(
            Score(
                metric="faithful", value=0.91, count=50, passed=True, at=TIME, data_set="golden", judge="gpt"
            ),
        ),
        uses=(PromptUse(urn=BOT, name="bot", last_seen="2026-11-29", found_by=("hook",)),),
    )
    assets = (
        Asset(
            urn=CUSTOMERS,
            type="dataset",
            kind="Table",
            name="customers",
            platform="postgres",
            path=("shop", "public"),
            marks=(PERSONAL,),
            owners=(Owner(urn="urn:li:corpuser:hana", name="Hana"),),
            columns=_columns("id", "email", "name"),
            deprecated="use clients",
        ),
        Asset(
            urn=ORDERS,
            type="dataset",
            kind="Table",
            name="orders",
            platform="postgres",
            path=("shop", "public"),
        ),
        Asset(
            urn=JOB,
            type="dataJob",
            kind="Embedding Job",
            name="embed-docs",
            platform="airflow",
            texts=(Text(title="SQL", text="select *\nfrom customers where a < b"),),
            runs=(
                Run(
                    urn="urn:li:dataProcessInstance:1",
                    name="embed 1",
                    started=TIME,
                    ended=TIME,
                    succeeded=True,
                    result="success",
                    facts=(Fact(title="added", text="12"),),
                ),
                Run(urn="urn:li:dataProcessInstance:2", name="embed 2", started=TIME, succeeded=None),
            ),
        ),
        Asset(urn=MODEL, type="mlModel", kind="Model", name="text-embedding-3-small", platform="openai"),
        index,
        Asset(
            urn=RETRIEVER,
            type="dataset",
            kind="Retriever",
            name="bot.retriever",
            platform="langchain",
            columns=_columns("contact"),
        ),
        Asset(
            urn=BOT,
            type="dataJob",
            kind="LLM Application",
            name="bot",
            platform="langchain",
            verdict="ok",
            checks=(Check(name="Owner", kind="Index Health", verdict="ok"),),
            usage=Usage(calls=40, days=1, input_tokens=1000, output_tokens=None, cost=1.5, currency="USD"),
        ),
        Asset(
            urn=PROMPT,
            type="dataset",
            kind="Prompt",
            name="answer",
            platform="langfuse",
            version="2",
            columns=_columns("question"),
            prompt=version,
            texts=(Text(title="Template", text="{{question}}"),),
        ),
        Asset(
            urn=OLD_PROMPT,
            type="dataset",
            kind="Prompt",
            name="answer",
            platform="langfuse",
            version="1",
            prompt=PromptVersion(prompt="langfuse:answer", version="1"),
        ),
        Asset(
            urn=LOG,
            type="dataset",
            kind="Answer Log",
            name="bot answers",
            platform="langchain",
            columns=_columns("answer"),
        ),
        Asset(
            urn=GHOST,
            type="dataset",
            kind="Not in the catalog",
            name="bucket/faq",
            platform="s3",
            in_catalog=False,
        ),
    )
    index_edge = replace(
        edge(JOB, INDEX, (CUSTOMERS, "email", "contact"), (ORDERS, "note", "text")),
        uses=(ColumnUse(column=ColumnRef(CUSTOMERS, "id"), used_in=("join", "filter")),),
        untraced=(ORDERS,),
        hidden=(CUSTOMERS,),
    )
    edges = (
        edge(CUSTOMERS, JOB),
        edge(ORDERS, JOB),
        edge(GHOST, JOB, since=TIME),
        edge(MODEL, JOB),
        edge(MODEL, INDEX),
        index_edge,
        edge(INDEX, RETRIEVER, (INDEX, "contact", "contact")),
        edge(RETRIEVER, BOT),
        edge(PROMPT, BOT),
        edge(BOT, LOG, (RETRIEVER, "contact", "answer")),
    )
    return Report(
        assets=tuple(sorted(assets, key=lambda one: (one.name, one.urn))),
        edges=tuple(sorted(edges, key=lambda one: (one.upstream, one.downstream))),
        prompts=(
            Prompt(
                name="langfuse:answer",
                platform="langfuse",
                versions=(PROMPT, OLD_PROMPT),
                moves=(
                    LabelMove(
                        label="production", origin="1", target="2", after=TIME, before=TIME, by="Jonas"
                    ),
                ),
                findings=(PromptFinding(kind="orphan", version="1", since=TIME),),
                observed=True,
            ),
        ),
        answers=(answer(),),
        as_of=TIME,
        notes=("1 asset is named by others and not in the catalog.",),
    )


def answer() -> Answer:
    """The way back from an answer of the bot."""
    return Answer(
        id="01a22cdb8762",
        application="bot",
        urn=BOT,
        version="7",
        started=TIME,
        seconds=1.25,
        status="ok",
        prompts=(AnswerPrompt(urn=PROMPT, name="answer", version="2"),),
        models=(
            AnswerModel(name="gpt-5", asked="gpt", urn=None, tokens_in=10, tokens_out=None, status="ok"),
        ),
        documents=(AnswerDocument(chunk="c1", score=0.5, index=INDEX, source=CUSTOMERS, rests_on="row"),),
        jobs=(AnswerJob(urn=JOB, name="embed-docs", run="r1", ended=TIME),),
        indexes=(INDEX,),
        sources=(CUSTOMERS, ORDERS),
        stale=((INDEX, CUSTOMERS),),
        gaps=("who wrote chunk c2",),
    )


def hostile() -> Report:
    """A report whose every name is one of ``HOSTILE``: of assets, columns, owners, terms, facts and texts."""
    assets = tuple(
        Asset(
            urn=f"urn:li:dataset:(urn:li:dataPlatform:{name},{name},PROD)",
            type="dataset",
            kind=name,
            name=name,
            platform=name,
            path=(name,),
            description=name,
            version=name,
            deprecated=name,
            updated=name,
            url=f"javascript:{name}",
            owners=(Owner(urn=name, name=name, role=name),),
            domains=(name,),
            marks=(Mark(kind="term", urn=name, name=name, origin=name, origin_name=name),),
            facts=(Fact(title=name, text=name),),
            columns=(Column(path=name, type=name, description=name, facts=(Fact(title=name, text=name),)),),
            tables=(Table(title=name, columns=(name,), rows=((name,),)),),
            texts=(Text(title=name, text=name),),
            checks=(Check(name=name, kind=name, verdict="not known", message=name, missing=name, at=name),),
            incidents=(Incident(title=name, kind=name, description=name, since=name),),
        )
        for name in HOSTILE
    )
    edges = tuple(
        edge(one.urn, other.urn, (one.urn, one.name, other.name)) for one, other in pairwise(assets)
    )
    return Report(
        assets=assets, edges=edges, notes=HOSTILE, filters=(Fact(title=HOSTILE[0], text=HOSTILE[1]),)
    )
