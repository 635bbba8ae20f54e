"""Generators of bAbI stories, one module per family of subtasks."""
