"""Terminal, file and notebook output: live progress, log lines, tables, plots and JSON.

All printing is in this package.
"""
