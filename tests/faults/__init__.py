"""What can go wrong in a run of days, made to happen to the real command.

docs/reliability.md has the table of it.
"""
