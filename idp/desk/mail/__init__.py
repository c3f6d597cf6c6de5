"""The desk's « Mail »: what was sent to guardians, and what became of it."""
