"""Lets the tests of this room import `parity`, which the bench shares."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
