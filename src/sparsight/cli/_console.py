"""What is said to the user: results on stdout, progress and complaints on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

Progress = Callable[[int, int, str], None]


def say(text: str = "") -> None:
    """Print a line of result; `text` may hold rich's markup, names of files are to be escaped."""
    from rich.console import Console

    Console(highlight=False).print(text, soft_wrap=True)


def show(table: Table) -> None:
    """Print a table."""
    from rich.console import Console

    console = Console(highlight=False)
    # Where nobody looks (a file, a pipe) there is no width to keep to.
    console.print(table, soft_wrap=not console.is_terminal)


def warn(text: str) -> None:
    """Print a line that the user should heed, on stderr."""
    _to_stderr("[bold yellow]warning:[/] ", text)


def complain(text: str) -> None:
    """Print the one line that says what went wrong, on stderr."""
    _to_stderr("[bold red]error:[/] ", text)


def quoted(path: object) -> str:
    """A path for :func:`say`, safe from being taken for markup."""
    from rich.markup import escape

    return f"[bold]{escape(str(path))}[/bold]"


def show_in_browser(page: Path) -> None:
    """Open a page in the browser, or say that there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        warn(f"there is no browser to open; look at '{page}' yourself")


@contextmanager
def progress_bar(task: str) -> Iterator[Progress]:
    """Show a bar on stderr, and remove it at the end; silent if stderr is no terminal."""
    from rich import progress
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True)
    columns = (
        progress.TextColumn("[bold]{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("[dim]{task.fields[doing]}"),
    )
    with progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task_id = bar.add_task(task, total=None, doing="")

        def report(done: int, total: int, text: str) -> None:
            bar.update(task_id, completed=done, total=total, doing=escape(text))

        yield report


def _to_stderr(prefix: str, text: str) -> None:
    from rich.console import Console
    from rich.markup import escape

    one_line = " ".join(text.split())
    Console(stderr=True, highlight=False).print(prefix + escape(one_line), soft_wrap=True)
