"""The desk's « Logbook »: what was done, written in the act and read by its school."""
