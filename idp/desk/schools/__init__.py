"""The desk's « Schools »."""
