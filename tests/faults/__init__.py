"""Faults of a run of days, caused deliberately in the real command.

docs/reliability.md has the table of it.
"""
