"""`dlgauge lr`: learning-rate policies, one module per sub-command."""

from __future__ import annotations

import typer

from harness.cli.lr import (
    database,
    export,
    functions,
    plot,
    range_test,
    rank,
    recommend,
    robustness,
    show,
    trace,
    tune,
    verify,
)

app = typer.Typer(name="lr", help="Learning-rate policies.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _lr() -> None:
    """Learning-rate policies."""


app.command("list")(functions.list_functions)
app.command("rank")(rank.rank)
app.command("verify")(verify.verify)
app.command("robustness")(robustness.robustness)
app.command("recommend")(recommend.recommend)
app.command()(show.show)
app.command()(trace.trace)
app.command()(plot.plot)
app.command()(export.export)
app.command("range-test")(range_test.range_test)
app.command()(tune.tune)
app.add_typer(database.app)
