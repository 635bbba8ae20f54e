"""Generators of bAbI stories, one module for each family of subtasks."""
