"""The copying memory task."""
