import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def quick_path(tmp_path):
    """A folder in memory where there is one: a kill leaves the page cache alone, so no medium is needed to show it."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(dir=memory, prefix="backbook-lake-"))
    yield folder
    shutil.rmtree(folder)
