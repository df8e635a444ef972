"""The connector of Arize Phoenix."""
