"""The connector of Chroma."""
