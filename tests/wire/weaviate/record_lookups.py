"""Record what a Weaviate server answers when it is asked for ids; see README.md for where the server comes from.

python tests/wire/weaviate/record_lookups.py /path/to/weaviate-server
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import urllib3

sys.path += [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from record import ask, lines, running  # type: ignore[import-not-found]  # beside this file

from datahub_llmops.vector_stores.weaviate.queries import build_lookup

HELD: Final = "00000000-0000-4000-8000-000000000001"
ALSO: Final = "00000000-0000-4000-8000-000000000002"
MISSING: Final = "00000000-0000-4000-8000-00000000dead"
TENANTS: Final = [{"name": "acme"}, {"name": "globex"}, {"name": "stored", "activityStatus": "COLD"}]
OBJECTS: Final[list[dict[str, Any]]] = [
    {"class": "Docs", "id": HELD, "properties": {"text": "planted-payload-c0ffee"}, "vector": [1, 2]},
    {"class": "Docs", "id": ALSO, "vector": [2, 1]},
    {"class": "Tenanted", "id": HELD, "tenant": "acme", "vector": [1, 2]},
    {"class": "Tenanted", "id": ALSO, "tenant": "globex", "vector": [1, 2]},
]
_SETTINGS: Final = {"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true"}


def fill(url: str) -> None:
    """Two collections without tenants and one with them."""
    for name, tenanted in (("Docs", False), ("Other", False), ("Tenanted", True)):
        schema = {"class": name, "vectorizer": "none", "multiTenancyConfig": {"enabled": tenanted}}
        assert ask(url, "POST", "/v1/schema", schema)["status"] == 200
    assert ask(url, "POST", "/v1/schema/Tenanted/tenants", TENANTS)["status"] == 200
    for item in OBJECTS:
        assert ask(url, "POST", "/v1/objects", item)["status"] == 200


def recorded(url: str) -> list[dict[str, Any]]:
    """Every form of a lookup, with its answer. A HEAD has none but its status."""
    two = [HELD, MISSING]
    queries = [
        build_lookup("Docs", [None], [HELD, ALSO, MISSING]),
        build_lookup("Docs", [None], [MISSING]),
        build_lookup("Other", [None], two),
        build_lookup("Gone", [None], two),
        build_lookup("Tenanted", ["acme", "globex"], [HELD, ALSO]),
        build_lookup("Tenanted", ["acme", "stored"], two),
        build_lookup("Tenanted", [None], two),
    ]
    heads = [f"Docs/{HELD}", f"Docs/{MISSING}", "Docs/no-uuid", f"Other/{HELD}", f"Gone/{HELD}"]
    heads += [
        f"Tenanted/{HELD}",
        *(f"Tenanted/{HELD}?tenant={name}" for name in ("acme", "globex", "stored")),
    ]
    posts = [
        {"method": "POST", "path": "/v1/graphql", "body": body, **ask(url, "POST", "/v1/graphql", body)}
        for body in ({"query": query} for query in queries)
    ]
    return posts + [
        {"method": "HEAD", "path": f"/v1/objects/{path}", "body": None, "status": status, "answer": None}
        for path in heads
        for status in [urllib3.request("HEAD", f"{url}/v1/objects/{path}").status]
    ]


def main() -> None:
    with running(sys.argv[1], 18380, _SETTINGS) as url:
        fill(url)
        version = ask(url, "GET", "/v1/meta")["answer"]["version"]
        calls = recorded(url)
        classes = ask(url, "GET", "/v1/schema")["answer"]["classes"]
    with running(sys.argv[1], 18480, {**_SETTINGS, "DISABLE_GRAPHQL": "true"}) as url:
        fill(url)
        heads = [call for call in recorded(url) if call["method"] == "HEAD"]
    assert heads == [call for call in calls if call["method"] == "HEAD"]
    parts = [f'"version": {json.dumps(version)}', f'"classes": {lines("[]", classes)}']
    parts += [f'"tenants": {json.dumps(TENANTS)}', f'"objects": {lines("[]", OBJECTS)}']
    parts += [f'"calls": {lines("[]", calls)}']
    out = Path(__file__).with_name("lookups.json")
    out.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
