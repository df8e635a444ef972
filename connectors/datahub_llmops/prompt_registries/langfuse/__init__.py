"""The connector of Langfuse."""
