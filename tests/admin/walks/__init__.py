"""Walks of staff that together see every page of the desk; one module for each part of it.

Each has ``walk(desk) -> Iterator[TestResponse]`` and yields the pages as they come.
"""
