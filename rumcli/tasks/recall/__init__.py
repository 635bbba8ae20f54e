"""The associative recall task."""
