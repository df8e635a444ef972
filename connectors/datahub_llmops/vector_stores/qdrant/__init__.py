"""The connector of Qdrant."""
