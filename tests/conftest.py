import os
from pathlib import Path

import hypothesis
import pytest

# Timings on a shared machine say nothing about correctness.
hypothesis.settings.register_profile("sparsight", deadline=None)
hypothesis.settings.load_profile("sparsight")

_DATA = Path(os.environ.get("SPARSIGHT_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real_images():
    """Folder of real images with ground truth, which is not part of the project."""
    if not (_DATA / "wood").is_dir():
        pytest.skip("no real images here: set SPARSIGHT_DATA to their folder")
    return _DATA
