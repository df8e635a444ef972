"""One module a vector store."""
