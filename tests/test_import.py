import subprocess
import sys

import pytest

HEAVY = ("sklearn", "skimage", "scipy", "matplotlib")


@pytest.mark.parametrize("statement", ["import sparsight", "import sparsight.images"])
def test_import_loads_nothing_heavy(statement):
    code = f"{statement}; import sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    import sparsight

    assert {"AnomalyDetector", "KSVD", "read_image"} <= set(sparsight.__all__)
    for name in sparsight.__all__:
        assert getattr(sparsight, name) is not None
    assert sparsight.__version__


def test_unknown_name_is_an_attribute_error():
    import sparsight

    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = sparsight.no_such_thing
