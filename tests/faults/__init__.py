"""Faults during long runs, provoked in the real command; listed in docs/reliability.md."""
