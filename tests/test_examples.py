"""Every example runs from beginning to end, without a warning, and draws its picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_example(script, tmp_path):
    picture = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, "-W", "error", script, picture],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_the_list_names_the_example_and_shows_its_picture(script):
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert f"[{script.name}]({script.name})" in page
    assert f"(../docs/pictures/{script.stem}.png)" in page
    assert (ROOT / "docs" / "pictures" / f"{script.stem}.png").stat().st_size < 200_000
