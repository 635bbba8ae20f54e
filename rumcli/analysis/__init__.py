"""Analysis of trained runs: comparison, inspection, loss landscape, summaries and self-tests."""
