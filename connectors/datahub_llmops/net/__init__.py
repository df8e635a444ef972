"""Calls to other systems: HTTP, deadlines, retries, and the JSON that comes back."""
