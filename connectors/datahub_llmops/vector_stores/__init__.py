"""One package for each vector store."""
