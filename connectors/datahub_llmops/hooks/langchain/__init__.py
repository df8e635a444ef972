"""What hooks into LangChain."""
