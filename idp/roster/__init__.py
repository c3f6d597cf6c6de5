"""The import of a school's roster: pupils, guardians, and who may see whom.

A file is read into staging tables, compared with what stands (``planning``), and carried out
school by school, one transaction each (``applying``). Both the plan and the journal by which an
import is undone are the same rows: ``roster_changes``.
"""
