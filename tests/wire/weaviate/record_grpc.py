"""Record what a Weaviate server answers over gRPC to LangChain's and LlamaIndex's packages; see README.md.

python tests/wire/weaviate/record_grpc.py /path/to/weaviate-server
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import weaviate
from google.protobuf.json_format import MessageToDict
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_weaviate import WeaviateVectorStore
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.vector_stores.weaviate import WeaviateVectorStore as LlamaWeaviate

sys.path += [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from record import ask, lines, running  # type: ignore[import-not-found]  # beside this file

from vector_stores.weaviate.grpc import asking, served

IDS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(3)]


@contextmanager
def between(port: int, kept: list[dict[str, Any]]) -> Iterator[int]:
    """The port of a proxy that keeps each call with its answer."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:

        def keeping(name: str, request: Any) -> Any:
            reply = asking(channel, name)(request)
            asked, answered = (
                MessageToDict(one, preserving_proto_field_name=True) for one in (request, reply)
            )
            answered.pop("took", None)
            kept.append({"method": name, "request": asked, "reply": answered})
            return reply

        with served(keeping) as own:
            yield own


def both(client: Any) -> None:
    """Each package writes three objects and asks for all of them."""
    documents = [Document(f"text {n}", metadata={"source": f"s3://kb/{n}.md"} if n else {}) for n in range(3)]
    store = WeaviateVectorStore(client, "notes", "text", DeterministicFakeEmbedding(size=4))
    store.add_documents(documents, ids=IDS)
    assert len(store.similarity_search("q", k=3)) == 3
    nodes = [TextNode(id_=one, text=f"text {n}", embedding=[float(n), 1, 0, 0]) for n, one in enumerate(IDS)]
    for node, document in zip(nodes, reversed(IDS), strict=True):
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=document)
    llama = LlamaWeaviate(weaviate_client=client, index_name="Llama")
    llama.add([*nodes])
    query = VectorStoreQuery(query_embedding=[1, 1, 0, 0], similarity_top_k=3, query_str="q")
    assert len(llama.query(query).ids or ()) == 3


def main() -> None:
    kept: list[dict[str, Any]] = []
    with (
        running(sys.argv[1], 18080, {"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true"}) as url,
        between(18081, kept) as port,
        weaviate.connect_to_local("127.0.0.1", 18080, port, skip_init_checks=True) as client,
    ):
        both(client)
        schema = ask(url, "GET", "/v1/schema")["answer"]["classes"]
        server = ask(url, "GET", "/v1/meta")["answer"]["version"]
    properties = {
        item["class"]: [{key: one[key] for key in ("name", "dataType")} for one in item["properties"]]
        for item in schema
    }
    about = [f'"version": {json.dumps(server)}', f'"properties": {lines("{}", properties)}']
    about.append(f'"calls": {lines("[]", kept)}')
    Path(__file__).with_name("grpc.json").write_text("{\n" + ",\n".join(about) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
