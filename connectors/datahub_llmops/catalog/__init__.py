"""The read side: a catalog in one local file, or a DataHub server, behind one protocol."""
