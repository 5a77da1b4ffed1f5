"""Fixtures that several rooms share."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import hypothesis
import pytest

NOBODY = 65534
DATA = Path(os.environ.get("SPARSIGHT_DATA", Path(__file__).parent.parent.parent / "shared" / "data"))

# Timings on a shared machine say nothing about correctness.
hypothesis.settings.register_profile("sparsight", deadline=None)
hypothesis.settings.load_profile("sparsight")


@contextmanager
def _as_ordinary_user() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def as_ordinary_user() -> Callable[[], AbstractContextManager[None]]:
    """Give up the rights of the superuser, whom nothing is refused, for the time of a block."""
    return _as_ordinary_user


@pytest.fixture
def interrupt_after() -> Iterator[Callable[[float], object]]:
    """Press Ctrl-C in so many seconds."""
    if not hasattr(signal, "setitimer"):
        pytest.skip("needs an alarm")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve()
        path.chmod(0o777)
        yield path
        path.chmod(0o777)


@pytest.fixture(scope="session")
def real_images() -> Path:
    """Folder of real images with ground truth, which is not part of the project."""
    if not (DATA / "wood").is_dir():
        pytest.skip("no real images here: set SPARSIGHT_DATA to their folder")
    return DATA
