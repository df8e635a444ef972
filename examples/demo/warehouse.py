"""Builds the demo's warehouse: the docstrings of Python's standard library as a SQLite database.

It has three related tables and a view, filled from the sources of the Python that runs this script. Nothing is
imported, the sources are parsed. The maintainers are invented: no real person is named, and every address is
at example.org.

    python examples/demo/warehouse.py demo/warehouse.db
"""

from __future__ import annotations

import ast
import hashlib
import sqlite3
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

# Constraints have names and the view writes main.x: DataHub's sqlalchemy source fails on a foreign key without a
# name, and draws the lineage of an unqualified table to an asset that does not exist.
SCHEMA = """
create table maintainers (
    id integer primary key,
    name text not null,
    email text not null,
    team text not null
);
create table modules (
    id integer primary key,
    name text not null,
    package text not null,
    summary text,
    maintainer_id integer not null,
    constraint module_name unique (name),
    constraint module_maintainer foreign key (maintainer_id) references maintainers (id)
);
create table entries (
    id integer primary key,
    module_id integer not null,
    qualified_name text not null,
    kind text not null,
    signature text,
    doc text not null,
    constraint entry_module foreign key (module_id) references modules (id)
);
create index entries_by_module on entries (module_id);
create view entry_docs as
select e.id as id, e.qualified_name as qualified_name, e.kind as kind, e.doc as doc,
       m.name as module, m.maintainer_id as maintainer_id
from main.entries e
join main.modules m on m.id = e.module_id;
"""

GIVEN = ("Ada", "Bela", "Chike", "Dunja", "Emre", "Farid", "Gita", "Hana", "Idris", "Jonas", "Kaja", "Lior")
FAMILY = (
    "Arendt",
    "Baptiste",
    "Castro",
    "Diallo",
    "Fontana",
    "Gruber",
    "Haddad",
    "Jansen",
    "Kimura",
    "Novak",
)
TEAMS = ("language", "runtime", "networking", "data formats")
MAINTAINERS = 24
NOT_LIBRARY = {"site-packages", "test", "tests", "idlelib", "turtledemo", "lib2to3", "ensurepip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One public definition that has a docstring."""

    qualified_name: str
    kind: str
    signature: str | None
    doc: str


def library_files() -> Iterator[tuple[str, Path]]:
    """Yield the name and path of every public module of the standard library that is written in Python, in order."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if NOT_LIBRARY.isdisjoint(parts) and parts[0] in sys.stdlib_module_names:
            name = parts[:-1] if parts[-1] == "__init__" else parts
            if not any(part.startswith("_") for part in name):
                yield ".".join(name), path


def public_entries(module: str, tree: ast.Module) -> Iterator[Entry]:
    """Yield the public classes, methods and functions of a module that have a docstring, in the order of the source."""

    def walk(body: list[ast.stmt], prefix: str, inside_class: bool) -> Iterator[Entry]:
        for node in body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_"):
                continue
            is_class = isinstance(node, ast.ClassDef)
            doc = ast.get_docstring(node)
            if doc:
                yield Entry(
                    qualified_name=f"{prefix}.{node.name}",
                    kind="class" if is_class else "method" if inside_class else "function",
                    signature=None if isinstance(node, ast.ClassDef) else f"({ast.unparse(node.args)})",
                    doc=doc,
                )
            if is_class:
                yield from walk(node.body, f"{prefix}.{node.name}", True)

    doc = ast.get_docstring(tree)
    if doc:
        yield Entry(qualified_name=module, kind="module", signature=None, doc=doc)
    yield from walk(tree.body, module, False)


def invented_maintainers() -> Iterator[tuple[int, str, str, str]]:
    """Yield people who do not exist. They are the same on every machine."""
    for number in range(MAINTAINERS):
        given, family = GIVEN[number % len(GIVEN)], FAMILY[number * 7 % len(FAMILY)]
        address = f"{given}.{family}@example.org".lower()
        yield number + 1, f"{given} {family}", address, TEAMS[number % len(TEAMS)]


def fingerprint() -> int:
    """Identify the Python and the version of this script that build a warehouse. It fits ``PRAGMA user_version``."""
    made_by = sys.version.encode() + Path(__file__).read_bytes()
    return int.from_bytes(hashlib.sha256(made_by).digest()[:4], "big") >> 1


def fill(database: sqlite3.Connection) -> None:
    """Create the tables and load every row."""
    database.executescript(SCHEMA)
    database.executemany("insert into maintainers values (?, ?, ?, ?)", invented_maintainers())
    for module_id, (name, path) in enumerate(library_files(), start=1):
        # Bytes: a source file may declare an encoding of its own.
        tree = ast.parse(path.read_bytes())
        package = name.partition(".")[0]
        summary = (ast.get_docstring(tree) or "").partition("\n")[0] or None
        maintainer = crc32(package.encode()) % MAINTAINERS + 1
        module = (module_id, name, package, summary, maintainer)
        database.execute("insert into modules values (?, ?, ?, ?, ?)", module)
        for entry in public_entries(name, tree):
            row = (module_id, entry.qualified_name, entry.kind, entry.signature, entry.doc)
            database.execute("insert into entries values (null, ?, ?, ?, ?, ?)", row)
    database.execute(f"pragma user_version = {fingerprint()}")


def build(target: Path) -> bool:
    """Build the warehouse unless this Python already did. Returns whether it built one."""
    if target.exists():
        existing = sqlite3.connect(target)
        try:
            if existing.execute("pragma user_version").fetchone()[0] == fingerprint():
                return False
        finally:
            existing.close()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    database = sqlite3.connect(unfinished)
    try:
        fill(database)
        database.commit()
    finally:
        database.close()
    unfinished.replace(target)
    return True


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/demo/warehouse.py DATABASE")
    target = Path(sys.argv[1])
    built = build(target)
    database = sqlite3.connect(target)
    try:
        rows = {
            table: database.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("maintainers", "modules", "entries")
        }
    finally:
        database.close()
    counts = ", ".join(f"{count:,} {table}" for table, count in rows.items())
    print(f"{target}: {counts}{'' if built else ' (unchanged)'}")


if __name__ == "__main__":
    main()
