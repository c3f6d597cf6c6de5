"""The desk's search box."""
