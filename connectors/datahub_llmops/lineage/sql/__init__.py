"""One SQL statement, traced from its output columns to the columns it reads."""
