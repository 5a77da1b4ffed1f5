import numpy as np
import pytest
from skimage.data import coins
from typer.testing import CliRunner

from sparsight import imresize, read_image, write_image
from sparsight.cli.app import app


@pytest.fixture
def files(tmp_path):
    truth = coins()[:120, :150]
    write_image(tmp_path / "truth.png", truth)
    write_image(tmp_path / "small.png", imresize(truth, 0.5))
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_upscales_at_once(files):
    result = run("upscale", files / "small.png", "--scale", "2", "-o", files / "large.png")
    assert result.exit_code == 0, result.output
    assert "150 × 120" in result.output
    assert read_image(files / "large.png").pixels.shape == (120, 150)


def test_compares_with_the_truth(files):
    result = run("upscale", files / "small.png", "-o", files / "large.png", "--compare", files / "truth.png")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    figures = {
        words[1]: float(words[3])
        for words in lines
        if len(words) > 5 and words[1] in ("Sparsight", "bicubic")
    }
    assert figures["Sparsight"] > figures["bicubic"] + 0.5
    assert "Compared on intensity, without 2 pixels at each edge." in result.output


def test_trains_a_model_and_uses_it(files):
    trained = run(
        "train-upscaler",
        files / "truth.png",
        "-o",
        files / "x2.sparsight",
        "--scale",
        2,
        "--anchors",
        16,
        "--noise",
        3,
    )
    assert trained.exit_code == 0, trained.output
    used = run("upscale", files / "small.png", "--model", files / "x2.sparsight", "-o", files / "large.png")
    assert used.exit_code == 0, used.output
    assert np.abs(read_image(files / "large.png").pixels.astype(int) - coins()[:120, :150]).mean() < 15


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["upscale", "{}/gone.png", "-o", "{}/o.png"], "gone.png"),
        (["upscale", "{}/small.png", "--scale", "0", "-o", "{}/o.png"], "factor above 1"),
        (["upscale", "{}/small.png", "--scale", "1", "-o", "{}/o.png"], "factor above 1"),
        (["upscale", "{}/small.png", "--scale", "400", "-o", "{}/o.png"], "factor above 1"),
        (["upscale", "{}/small.png", "--model", "{}/small.png", "-o", "{}/o.png"], "small.png"),
        (["train-upscaler", "{}/truth.png", "--scale", "7", "-o", "{}/m"], "scale must be 2, 3 or 4"),
        (["train-upscaler", "{}/truth.png", "-o", "{}/m"], "patches, but 1024 anchors need"),
    ],
)
def test_bad_input_is_one_line(files, arguments, message):
    result = run(*(argument.format(files) for argument in arguments))
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not list(files.glob("o.png")) + list(files.glob("m"))
