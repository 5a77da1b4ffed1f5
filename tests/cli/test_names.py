from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsight.cli._names import unique_names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.png", "b.tif"], ["a", "b"]),
        (["x/1.png", "y/1.png", "y/2.png"], ["x_1", "y_1", "2"]),
        (["x/1.png", "x/1.tif"], ["1_png", "1_tif"]),
        (["x/A.png", "x/a.png"], ["A_png", "a_png_2"]),
        (["x/1.png", "x/1.tif", "y/1.png"], ["x_1", "x_1_2", "y_1"]),
        (["a/x/1.png", "b/x/1.png"], ["a_x_1", "b_x_1"]),
        (["x/x_1.png", "x/1.png", "y/1.png"], ["x_1", "x_1_2", "y_1"]),
    ],
)
def test_names_stay_as_short_as_they_can(files, names):
    assert unique_names([Path(file) for file in files]) == names


@given(st.lists(st.tuples(*[st.sampled_from(["a", "b", "A", "a_b"])] * 3, st.sampled_from(["png", "tif"]))))
def test_no_two_names_are_the_same(parts):
    files = [Path(first, second, f"{stem}.{suffix}") for first, second, stem, suffix in parts]
    names = unique_names(list(dict.fromkeys(files)))
    assert len({name.casefold() for name in names}) == len(names)
