"""The connector of LangSmith."""
