import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from sparsight import models
from sparsight.errors import ModelError, SparsightError
from sparsight.models import load_model, save_model


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.sparsight"
    arrays = {
        "dictionary": np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2],
        "flags": np.array([True]),
    }
    save_model(path, "test", {"threshold": 1.5, "text": "µm²"}, arrays)
    return path


def test_round_trip(path):
    stored = load_model(path, "test")
    assert stored.settings == {"threshold": 1.5, "text": "µm²"}
    assert stored.arrays["dictionary"].tolist() == [[0, 2], [4, 6], [8, 10]]
    assert stored.arrays["dictionary"].dtype == np.float32
    assert stored.arrays["flags"].tolist() == [True]


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.sparsight.*check the path"):
        load_model(tmp_path / "gone.sparsight")


@pytest.mark.parametrize("size", [0, 5, 200, -1])
def test_truncated_file(path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"model\.sparsight"):
        load_model(path)


def test_foreign_files(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a model " * 40)
    with pytest.raises(ModelError, match=r"notes\.txt is not a Sparsight model"):
        load_model(text)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": np.zeros(3)}, foreign)
    with pytest.raises(ModelError, match="was not written by Sparsight"):
        load_model(foreign)


def test_newer_version(path, monkeypatch):
    monkeypatch.setattr(models, "FORMAT_VERSION", models.FORMAT_VERSION + 1)
    save_model(path, "test", {}, {"a": np.zeros(2)})
    monkeypatch.undo()
    with pytest.raises(ModelError, match="newer Sparsight.*upgrade"):
        load_model(path)


def test_altered_array(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(ModelError, match="damaged or was altered"):
        load_model(path)


def test_altered_threshold(path):
    content = path.read_bytes()
    altered = content.replace(b"1.5", b"9.5")
    assert altered != content
    path.write_bytes(altered)
    with pytest.raises(ModelError, match="damaged or was altered"):
        load_model(path)


def test_another_kind(path):
    with pytest.raises(ModelError, match="'test'.*'anomaly-detector' is needed"):
        load_model(path, "anomaly-detector")


def test_failed_save_keeps_the_old_model(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        save_model(path, "test", {"threshold": float("nan")}, {})
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_unwritable_target(tmp_path):
    with pytest.raises(SparsightError, match="missing"):
        save_model(tmp_path / "missing" / "model", "test", {}, {"a": np.zeros(1)})


def test_header_is_plain_json(path):
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["sparsight"])
    assert header["format"] == models.FORMAT_VERSION
    assert header["kind"] == "test"
