"""The connector of Weaviate."""
