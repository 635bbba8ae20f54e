"""Untrusted input: `rum` reads it or rejects it, without any other effect."""
