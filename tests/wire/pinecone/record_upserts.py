"""Record what LangChain and LlamaIndex send to Pinecone when they write; see README.md for the environment it needs."""

from __future__ import annotations

import importlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

from typing_extensions import override

OUT = Path(__file__).with_name("upserts.json")
SENT: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    """Takes every upsert, and describes the index that LangChain asks about."""

    protocol_version = "HTTP/1.1"

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/vectors/upsert"):
            SENT.append(json.loads(body))
            self._send({"upsertedCount": len(SENT[-1]["vectors"])})
        else:
            self._send(
                {
                    "namespaces": {},
                    "dimension": 4,
                    "indexFullness": 0,
                    "totalVectorCount": 0,
                    "vectorType": "dense",
                }
            )

    do_GET = do_POST = _answer

    def _send(self, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def langchain(index: Any) -> None:
    """Four chunks of two documents."""
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings

    class Fixed(Embeddings):
        @override
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[0.1, 0.2, 0.3, 0.4] for _ in texts]

        @override
        def embed_query(self, text: str) -> list[float]:
            return [0.1, 0.2, 0.3, 0.4]

    writer = importlib.import_module("langchain_pinecone").PineconeVectorStore
    store = writer(index=index, embedding=Fixed(), namespace="langchain")
    documents = [
        Document(page_content=f"planted text {n}", metadata={"source": f"s3://kb/{n % 2}.md", "page": n})
        for n in range(4)
    ]
    store.add_documents(documents, ids=[f"lc-{n}" for n in range(4)], async_req=False)


def llama_index(index: Any) -> None:
    """Two nodes of two documents."""
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

    writer = importlib.import_module("llama_index.vector_stores.pinecone").PineconeVectorStore
    store = writer(pinecone_index=index, namespace="llama")
    nodes = []
    for n in range(2):
        node = TextNode(id_=f"li-{n}", text=f"planted text {n}", metadata={"file_path": f"/kb/{n}.md"})
        node.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"doc-{n}")
        node.embedding = [0.1, 0.2, 0.3, 0.4]
        nodes.append(node)
    store.add(nodes)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    client = importlib.import_module("pinecone").Pinecone
    recorded = {}
    for writer, package in (
        (langchain, "langchain-pinecone"),
        (llama_index, "llama-index-vector-stores-pinecone"),
    ):
        SENT.clear()
        writer(client(api_key="none", host=address).Index(host=address))
        versions = {name: version(name) for name in (package, "pinecone")}
        recorded[writer.__name__] = {"versions": versions, "bodies": list(SENT)}
    OUT.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
    server.shutdown()


if __name__ == "__main__":
    main()
