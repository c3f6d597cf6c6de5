"""Backups that are proved: made while parents sign in, encrypted, restored each night to see
whether they can be, and put back whole or not at all.
"""
