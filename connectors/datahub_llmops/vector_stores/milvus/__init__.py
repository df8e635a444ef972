"""The connector of Milvus."""
