"""The connector of Postgres with pgvector."""
