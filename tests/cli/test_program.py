"""The program as a whole: help, version, exit codes, and how it ends when something goes wrong."""

import shutil
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

import pytest

import sparsight
from sparsight.cli.app import app
from sparsight.images import read_image

COMMANDS = ["train", "inspect", "evaluate", "info", "demo"]
HEAVY = ("numpy", "scipy", "sklearn", "skimage", "matplotlib", "PIL", "jinja2", "safetensors")


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['sparsight', '--help']\n"
        "from sparsight.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Usage: sparsight" in done.stdout


def test_help_names_every_command_and_every_exit_code(sparsight):
    text = sparsight("--help").out
    for command in COMMANDS:
        assert f"sparsight {command}" in text or f" {command} " in text
    for code in ("0 done", "1 bad input", "2 wrong usage", "3 defect found", "130 interrupted"):
        assert code in text


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_of_every_command_teaches_by_examples(sparsight, command, option):
    ended = sparsight(command, option)
    assert ended.code == 0
    assert "Examples" in ended.out
    assert f"  sparsight {command}" in ended.out


def test_version(sparsight):
    assert sparsight_version() in sparsight("--version").out


def sparsight_version():
    return f"sparsight {sparsight.__version__}"


@pytest.mark.parametrize(
    "words",
    [
        ["tarin"],
        ["train"],
        ["train", "good"],
        ["train", "good", "-o", "m", "--recipe", "magic"],
        ["train", "good", "-o", "m", "--patch-size", "1"],
        ["train", "good", "-o", "m", "--false-alarm-rate", "0"],
        ["train", "good", "-o", "m", "--false-alarm-rate", "1.5"],
        ["train", "good", "-o", "m", "--threshold", "nan"],
        ["inspect", "m", "-o", "found"],
        ["inspect", "m", "new", "-o", "found", "--threshold", "high"],
        ["evaluate", "m", "--images", "new"],
        ["info"],
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(sparsight, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = sparsight(*words)
    assert ended.code == 2
    assert ended.out == ""
    assert "Error" in ended.err
    assert "Traceback" not in ended.err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def failing(monkeypatch):
    """Let `sparsight info` fail with an error of choice."""

    def fail(error):
        monkeypatch.setattr(sparsight.AnomalyDetector, "load", Mock(side_effect=error))

    return fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/there"), "error: '/there': Permission denied"),
        (OSError(28, "No space left on device"), "error: No space left on device"),
        (MemoryError(), "error: not enough memory"),
        (ZeroDivisionError("division by zero"), "error: ZeroDivisionError: division by zero (a fault of"),
    ],
)
def test_every_error_ends_in_one_line(refused, failing, error, said):
    failing(error)
    assert refused("info", "m").startswith(said)


def test_messages_are_not_taken_for_markup(refused, failing):
    failing(sparsight.SparsightError("no [red]such[/red]\n file [x]"))
    assert refused("info", "m") == "error: no [red]such[/red] file [x]"


def test_debug_shows_the_traceback(failing):
    failing(sparsight.SparsightError("broken"))
    with pytest.raises(sparsight.SparsightError, match="broken"):
        app(["--debug", "info", "m"])


def test_interruption_says_so_in_one_line(sparsight, failing):
    failing(KeyboardInterrupt())
    ended = sparsight("info", "m")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err == "error: interrupted; nothing was left half-written\n"


def test_a_reader_that_leaves_early_is_no_error(data):
    command = f"'{sys.executable}' -m sparsight info '{data / 'model.sparsight'}' | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


def default_interrupt():
    """Heed interrupts also where the tests run in the background, which ignores them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_the_exit_code_is_ours_also_where_the_interruption_strikes_generated_code(tmp_path):
    (tmp_path / "struck.py").write_text(
        "import signal, sparsight\n"
        "def strike(*_):\n"
        "    exec('signal.raise_signal(signal.SIGINT)')\n"
        "sparsight.AnomalyDetector.load = strike\n"
        "from sparsight.cli import _console, main\n"
        "_console.complain('loads what complaining needs')\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "struck", "info", "m"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=default_interrupt,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("error: interrupted; nothing was left half-written\n")


def test_ctrl_c_leaves_whole_files_only(tmp_path, data):
    new, found = tmp_path / "new", tmp_path / "found"
    new.mkdir()
    for number in range(300):
        shutil.copy(data / "new" / "fine.png", new / f"{number}.png")
    process = subprocess.Popen(
        [sys.executable, "-m", "sparsight", "inspect", data / "model.sparsight", new, "-o", found],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_interrupt,
    )
    while not (found / "0_score.tif").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, "")
    assert said == "error: interrupted; nothing was left half-written\n"
    names = {path.name for path in found.iterdir()}
    assert len(names) < 900
    assert not {name for name in names if name.startswith((".", "re"))}
    for path in found.iterdir():
        read_image(path)  # whole
