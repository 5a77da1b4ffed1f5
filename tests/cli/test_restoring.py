"""``sparsight inpaint`` and ``sparsight denoise``."""

import numpy as np
import pytest
import tifffile

from sparsight.images import read_image, write_image

from .conftest import texture


@pytest.fixture
def truth(tmp_path):
    pixels = texture(0, (48, 56))
    write_image(tmp_path / "truth.png", pixels)
    return pixels


@pytest.fixture
def hole(truth):
    return np.random.default_rng(0).random(truth.shape) < 0.4


def test_inpaint_by_mask_compares_and_previews(sparsight, tmp_path, truth, hole):
    write_image(tmp_path / "damaged.png", np.where(hole, 7, truth).astype(np.uint8))
    write_image(tmp_path / "mask.png", hole)
    ended = sparsight(
        "inpaint", tmp_path / "damaged.png", "--mask", tmp_path / "mask.png", "-o", tmp_path / "out.png",
        "--quality", "fast", "--compare", tmp_path / "truth.png", "--preview", tmp_path / "both.png",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    result = read_image(tmp_path / "out.png").pixels
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[~hole], truth[~hole])
    assert "PSNR" in ended.out
    assert float(ended.out.split("PSNR ")[1].split()[0]) > 28
    assert read_image(tmp_path / "both.png").pixels.shape == (48, 2 * 56 + 8, 3)


def test_inpaint_by_colour(sparsight, tmp_path, truth, hole):
    painted = np.where(hole[:, :, None], (255, 0, 255), truth[:, :, None]).astype(np.uint8)
    write_image(tmp_path / "painted.png", painted)
    ended = sparsight(
        "inpaint",
        tmp_path / "painted.png",
        "--mask-color",
        "#ff00ff",
        "-o",
        tmp_path / "out.png",
        "--quality",
        "fast",
    )
    assert ended.code == 0, ended.err
    result = read_image(tmp_path / "out.png").pixels.astype(float)
    assert np.abs(result.mean(axis=2) - truth).mean() < 4


@pytest.mark.parametrize("value", ["nan", "-1"])
def test_inpaint_by_value(sparsight, tmp_path, truth, hole, value):
    tifffile.imwrite(tmp_path / "height.tif", np.where(hole, float(value), truth / 255).astype(np.float32))
    ended = sparsight(
        "inpaint",
        tmp_path / "height.tif",
        "--missing-value",
        value,
        "-o",
        tmp_path / "out.tif",
        "--method",
        "cosine",
    )
    assert ended.code == 0, ended.err
    result = read_image(tmp_path / "out.tif").pixels
    np.testing.assert_array_equal(result[~hole], (truth / 255).astype(np.float32)[~hole])


def test_denoise(sparsight, tmp_path, truth):
    noisy = np.clip(truth + 20 * np.random.default_rng(0).standard_normal(truth.shape), 0, 255).astype(
        np.uint8
    )
    write_image(tmp_path / "noisy.png", noisy)
    ended = sparsight(
        "denoise", tmp_path / "noisy.png", "--sigma", "20", "-o", tmp_path / "out.png",
        "--compare", tmp_path / "truth.png",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert float(ended.out.split("PSNR ")[1].split()[0]) > 25


def test_mistakes_end_with_one_line_and_leave_nothing(sparsight, refused, tmp_path, truth):
    out = tmp_path / "out.png"
    write_image(tmp_path / "small.png", np.ones((5, 5), bool))
    assert "size" in refused("inpaint", tmp_path / "truth.png", "--mask", tmp_path / "small.png", "-o", out)
    write_image(tmp_path / "all.png", np.ones(truth.shape, bool))
    assert "missing" in refused("inpaint", tmp_path / "truth.png", "--mask", tmp_path / "all.png", "-o", out)
    assert "sigma" in refused("denoise", tmp_path / "truth.png", "--sigma", "0", "-o", out)
    assert "no file" in refused("denoise", tmp_path / "none.png", "-o", out)
    assert sparsight("inpaint", tmp_path / "truth.png", "-o", out).code == 2
    assert sparsight("inpaint", tmp_path / "truth.png", "--mask-color", "red", "-o", out).code == 2
    assert not out.exists()


@pytest.mark.parametrize("command", ["inpaint", "denoise"])
def test_what_cannot_be_written_or_compared_is_said_before_the_work(
    refused, tmp_path, truth, hole, command, monkeypatch
):
    def work(*_, **__):
        raise AssertionError("the work began")

    monkeypatch.setattr(f"sparsight.restoration.{command}", work)
    write_image(tmp_path / "mask.png", hole)
    write_image(tmp_path / "other.png", truth[:-1])
    given = ["--mask", tmp_path / "mask.png"] if command == "inpaint" else ["--sigma", "5"]
    start = [command, tmp_path / "truth.png", *given, "-o"]
    assert "suffix" in refused(*start, tmp_path / "out.gif")
    assert "create it first" in refused(*start, tmp_path / "none" / "out.png")
    assert "create it first" in refused(*start, tmp_path / "o.png", "--preview", tmp_path / "none" / "p.png")
    assert "its own truth" in refused(*start, tmp_path / "out.png", "--compare", tmp_path / "other.png")
    assert "no file" in refused(*start, tmp_path / "out.png", "--compare", tmp_path / "none.png")


@pytest.mark.parametrize("command", ["inpaint", "denoise"])
def test_interruption_leaves_nothing(sparsight, tmp_path, hole, command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"sparsight.restoration.{command}", interrupted)
    write_image(tmp_path / "mask.png", hole)
    before = sorted(tmp_path.iterdir())
    given = ["--mask", tmp_path / "mask.png"] if command == "inpaint" else ["--sigma", "5"]
    assert sparsight(command, tmp_path / "truth.png", *given, "-o", tmp_path / "out.png").code == 130
    assert sorted(tmp_path.iterdir()) == before
