"""`dlgauge capacity`: what a job needs, how many fit a machine, what it costs; one module per sub-command."""

from __future__ import annotations

import typer

from harness.cli.capacity import ask, fit, fleet, models, pack, size

app = typer.Typer(
    name="capacity",
    help="What a job needs, how many fit a machine, what it costs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _capacity() -> None:
    """Capacity: models fitted to the records of a store, with their held-out errors, and answers from them."""


app.command()(models.models)
app.command()(fit.fit)
app.command()(size.size)
app.command()(pack.pack)
app.command()(fleet.fleet)
app.command()(ask.ask)
