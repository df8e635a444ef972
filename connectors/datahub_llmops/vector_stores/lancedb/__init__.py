"""The connector of LanceDB."""
