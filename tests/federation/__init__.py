"""Signing in with other providers."""
