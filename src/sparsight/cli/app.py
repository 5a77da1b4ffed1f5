"""The program ``sparsight``: its commands, and how it ends when something goes wrong."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import sparsight
from sparsight.errors import SparsightError

from .calibrate import calibrate
from .demo import demo
from .denoise import denoise
from .evaluate import evaluate
from .info import info
from .inpaint import inpaint
from .inspect import inspect
from .train import train
from .train_upscaler import train_upscaler
from .upscale import upscale

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class _Commands(TyperGroup):
    """Commands that end with one line where a user's mistake would else end with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (Exception, KeyboardInterrupt) as error:
            ending = _ending(error)
            if ending is None or ctx.params.get("debug"):
                raise
            from ._console import complain

            if isinstance(error, KeyboardInterrupt):
                _forget_interruption()
            message, code = ending
            complain(message)
            raise typer.Exit(code) from error


def _forget_interruption() -> None:
    """Let the exit code be ours wherever the interruption struck.

    One that ends code run by `exec`, as the making of a dataclass in a module being loaded, marks the
    interpreter, which then kills itself by the signal whatever code it was told to exit with. Any code
    run by `exec` that ends well takes the mark away.
    """
    exec("")


def _ending(error: BaseException) -> tuple[str, int] | None:
    """What to say of an error and which code to exit with; None for what is none or speaks for itself."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; nothing was left half-written", INTERRUPTED
    if isinstance(error, SparsightError):
        return str(error), 1
    if isinstance(error, MemoryError):
        return "not enough memory; use smaller images, or fewer to train on", 1
    if isinstance(error, OSError):
        if error.errno == errno.EPIPE:  # whoever read our output has read enough
            return None
        named = f"'{error.filename}': " if error.filename else ""
        return f"{named}{error.strerror or error}", 1
    if isinstance(error, typer.Abort) or hasattr(error, "exit_code"):  # the parser's own
        return None
    report = "a fault of Sparsight, not yours: please report it with what `sparsight --debug …` prints"
    return f"{type(error).__name__}: {error} ({report})", 1


app = typer.Typer(
    cls=_Commands,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"sparsight {sparsight.__version__}\n")
        raise typer.Exit


@app.callback()
def sparsight_command(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")] = False,
) -> None:
    """Learn what is normal from a few good images; find, measure and report what is not.

    [bold]See it run[/bold], on sample images that it makes itself
      sparsight demo

    [bold]The main job[/bold]
      sparsight train good/ -o wood.sparsight
      sparsight inspect wood.sparsight new/ -o found/
      sparsight calibrate wood.sparsight more_good/

    [bold]If you know where the defects are[/bold]
      sparsight evaluate wood.sparsight --images new/ --masks truth/

    [bold]To restore an image[/bold]
      sparsight inpaint old.png --mask scratches.png -o mended.png
      sparsight denoise night.png -o clear.png
      sparsight upscale small.png --scale 3 -o large.png

    Every command explains itself: [bold]sparsight train --help[/bold].

    [bold]Exit codes[/bold]
      0 done, 1 bad input, 2 wrong usage, 130 interrupted,
      3 defect found (inspect --fail-on-defect)
    """


app.command()(train)
app.command()(calibrate)
app.command()(inspect)
app.command()(evaluate)
app.command()(info)
app.command()(demo)
app.command()(inpaint)
app.command()(denoise)
app.command()(upscale)
app.command()(train_upscaler)
