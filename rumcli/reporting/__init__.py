"""What a person or a script sees: live progress, plain lines, tables, JSON.

All printing is here.
"""
