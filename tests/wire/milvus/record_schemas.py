"""Write ``2.6.json``: what a Milvus 2.6 keeps of collections, as pymilvus's own client asks for them; see README.md."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from pymilvus import DataType, Function, FunctionType, MilvusClient
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import schema_pb2

OUT = Path(__file__).with_name("2.6.json")


def texts() -> Any:
    """https://milvus.io/docs/full-text-search.md and https://milvus.io/docs/openai.md"""
    schema = MilvusClient.create_schema(description="Texts that Milvus embeds itself")
    schema.add_field("id", DataType.INT64, is_primary=True, auto_id=True)
    schema.add_field("document", DataType.VARCHAR, max_length=9000, enable_analyzer=True)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=1536)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_function(
        Function(
            name="text_bm25_emb",
            input_field_names=["document"],
            output_field_names=["sparse"],
            function_type=FunctionType.BM25,
        )
    )
    schema.add_function(
        Function(
            name="openai_embedding",
            function_type=FunctionType.TEXTEMBEDDING,
            input_field_names=["document"],
            output_field_names=["dense"],
            params={
                "provider": "openai",
                "model_name": "text-embedding-3-small",
                "credential": "planted-credential",
            },
        )
    )
    return schema


def kinds() -> Any:
    """https://milvus.io/docs/dense-vector.md, https://milvus.io/docs/nullable-and-default.md and
    https://milvus.io/docs/array-of-structs.md"""
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("source", DataType.VARCHAR, max_length=200, nullable=True)
    schema.add_field("half", DataType.FLOAT16_VECTOR, dim=8)
    schema.add_field("brain", DataType.BFLOAT16_VECTOR, dim=8)
    schema.add_field("small", DataType.INT8_VECTOR, dim=8)
    struct = MilvusClient.create_struct_field_schema()
    struct.add_field("caption", DataType.VARCHAR, max_length=200)
    struct.add_field("shot", DataType.FLOAT_VECTOR, dim=16)
    schema.add_field(
        "clips", datatype=DataType.ARRAY, element_type=DataType.STRUCT, struct_schema=struct, max_capacity=100
    )
    return schema


INDEXES = {
    "texts": [
        ("dense", {"index_type": "AUTOINDEX", "metric_type": "COSINE"}),
        (
            "sparse",
            {
                "index_type": "SPARSE_INVERTED_INDEX",
                "metric_type": "BM25",
                "params": '{"inverted_index_algo": "DAAT_MAXSCORE", "bm25_k1": 1.2, "bm25_b": 0.75}',
            },
        ),
    ],
    "kinds": [
        ("half", {"index_type": "HNSW_SQ", "metric_type": "L2", "M": "30", "sq_type": "SQ6"}),
        ("source", {"index_type": "INVERTED"}),
    ],
}


def main() -> None:
    """One answer a method and collection."""
    answers: dict[str, Any] = {}
    for name, schema in (("texts", texts()), ("kinds", kinds())):
        request = Prepare.create_collection_request(name, schema)
        kept = schema_pb2.CollectionSchema.FromString(request.schema)
        answers[name] = {
            "DescribeCollection": {
                "status": {},
                "schema": MessageToDict(kept, preserving_proto_field_name=True),
                "collection_name": name,
                "created_timestamp": "470727898967048195",
                "shards_num": 1,
                "consistency_level": "Bounded",
                "aliases": ["newest"] if name == "texts" else [],
                "properties": [
                    {"key": "mmap.enabled", "value": "true"},
                    {"key": "owner", "value": "planted-owner"},
                ],
            },
            "DescribeIndex": {
                "status": {},
                "index_descriptions": [
                    {"field_name": field, "params": [{"key": k, "value": v} for k, v in params.items()]}
                    for field, params in INDEXES[name]
                ],
            },
            "ShowPartitions": {
                "status": {},
                "partition_names": ["_default", "eu"] if name == "texts" else ["_default"],
            },
            "GetCollectionStatistics": {"status": {}, "stats": [{"key": "row_count", "value": "7"}]},
            "GetLoadState": {"status": {}, "state": "LoadStateNotLoad"},
        }
    written = {"pymilvus": version("pymilvus"), "version": "v2.6.6", "collections": answers}
    OUT.write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main()
