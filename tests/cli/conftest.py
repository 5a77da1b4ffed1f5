from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sparsight.cli.app import app
from sparsight.images import write_image


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def sparsight(capsys):
    """Run a command as the shell does, and return how it ended."""

    def run(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app([str(word) for word in words], prog_name="sparsight")
        captured = capsys.readouterr()
        return Ended(ended.value.code or 0, captured.out, captured.err)

    return run


@pytest.fixture
def refused(sparsight):
    """Run a command that must end with one line on stderr, with code 1 and without a traceback."""

    def run(*words):
        ended = sparsight(*words)
        assert ended.code == 1, ended
        assert ended.out == ""
        lines = ended.err.splitlines()
        assert len(lines) == 1, ended.err
        assert lines[0].startswith("error: ")
        return lines[0]

    return run


def texture(seed, shape=(96, 112)):
    """Slanted stripes with a little noise: what is normal in these tests."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    stripes = 110 + 40 * np.sin((rows + 0.5 * columns) / 3 + seed)
    return np.clip(stripes + random.normal(0, 3, shape), 0, 255).astype(np.uint8)


def damaged(seed, shape=(96, 112)):
    """The same with a bright square, and its mask."""
    pixels, mask = texture(seed, shape), np.zeros(shape, dtype=bool)
    mask[40:54, 60:74] = True
    pixels[mask] = 245
    return pixels, mask


@pytest.fixture
def files_in():
    """List all files below a folder."""

    def listed(folder):
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    return listed


@pytest.fixture
def write_damaged():
    """Write an image with a defect; return the defect's mask."""

    def write(path, seed=8, shape=(96, 112)):
        pixels, mask = damaged(seed, shape)
        write_image(path, pixels)
        return mask

    return write


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """Folders of good and new images, of the masks of the new ones, and a model of the good ones."""
    folder = tmp_path_factory.mktemp("data")
    for part in ("good", "new", "truth"):
        (folder / part).mkdir()
    for seed in range(2):
        write_image(folder / "good" / f"good{seed}.png", texture(seed))
    write_image(folder / "new" / "fine.png", texture(7))
    for name, seed in (("cut", 8), ("dent", 9)):
        pixels, mask = damaged(seed)
        write_image(folder / "new" / f"{name}.tif", pixels, pixel_size_um=0.5)
        write_image(folder / "truth" / f"{name}_gt.png", mask)
    from sparsight import AnomalyDetector

    detector = AnomalyDetector(method="reconstruction", patch_size=8, n_threads=1).fit(
        [folder / "good" / "good0.png", folder / "good" / "good1.png"]
    )
    detector.save(folder / "model.sparsight")
    return folder
