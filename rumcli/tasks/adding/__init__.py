"""The adding task."""
