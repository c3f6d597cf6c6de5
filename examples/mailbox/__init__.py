"""A mail server for demos: takes every mail over real SMTP and keeps it in a file."""
