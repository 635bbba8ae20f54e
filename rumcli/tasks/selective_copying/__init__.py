"""The selective copying task."""
