"""The multi-query associative recall task."""
