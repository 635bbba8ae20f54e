"""Marks that several test files use."""

import os
import sys

import pytest

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
needs_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
