"""Everything that the reader says of one database: ``python probe.py URL TOKEN DATABASE`` prints it as JSON.

Run by an environment with the oldest pymilvus too; needs nothing else but pydantic and requests.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict
from typing import Any

from datahub_llmops.vector_stores.milvus.client import MilvusGrpcClient
from datahub_llmops.vector_stores.milvus.reader import MilvusReader


def everything(url: str, token: str, database: str) -> Any:
    """As JSON has it."""
    calls = MilvusGrpcClient(url, token=token)
    with closing(MilvusReader(calls, database=database, provenance_fields=["source", "file_path"])) as reader:
        found = [asdict(reader.read(name)) for name in reader.names() if isinstance(name, tuple)]
    return json.loads(json.dumps(found, default=str))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(everything(*sys.argv[1:])))
