"""``sparsight info``: what a model is."""

from __future__ import annotations

from typing import Annotated

import typer

from ._options import Model


def info(
    model: Model,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Tell where a model comes from, how it was set, and what its threshold promises.

    All of this is stored in the model file itself.

    [bold]Examples[/bold]
      sparsight info wood.sparsight
      sparsight info wood.sparsight --json | jq .threshold
    """
    from sparsight import AnomalyDetector
    from sparsight.report import caution, facts, model_card, promise, strict_json

    card = model_card(AnomalyDetector.load(model), model)
    if as_json:
        typer.echo(strict_json(card))
        return

    from rich.markup import escape
    from rich.table import Table

    from ._console import say, show, warn

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for what, value in facts(card):
        table.add_row(what, escape(value))
    show(table)
    say()
    say(promise(card))
    advice = card["provenance"]["notes"].get("advice")
    if advice is not None:
        say(advice)
    doubt = caution(card)
    if doubt is not None:
        warn(doubt)
