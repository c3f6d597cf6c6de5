"""Stand-ins for the providers that parents sign in with elsewhere: for the demo, offline.

Each shows a few invented people; picking one is proving to be them. They share no code with
the identity provider, which knows them by their addresses only.
"""
