"""Signing in with other providers: their protocols, what they prove, and whose identity it is."""
