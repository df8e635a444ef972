"""The connector of Pinecone."""
