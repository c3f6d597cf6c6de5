"""The desk's « Letters »: paper with first tokens, and the guide for parents."""
