"""How the upstream of an index is found: declared jobs, SQL, and values in the payload."""
