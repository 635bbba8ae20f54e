"""What all tests share: quiet native libraries, few threads, small runs."""

import os

# Before TensorFlow is imported. Two workers share two cores.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hypothesis import settings

# A shared machine is too uneven for a deadline on each example.
settings.register_profile("rum", deadline=None, derandomize=True)
settings.load_profile("rum")
