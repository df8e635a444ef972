"""The formats of prompt files. Each parser takes a file's text and runs, loads and imports nothing that it names."""
