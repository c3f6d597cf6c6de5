"""Guardians' rights over what is kept about them: to see it, to take it along, to be erased."""
