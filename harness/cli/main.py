"""The `dlgauge` program: one module per sub-command, imported only when it runs."""

from __future__ import annotations

import contextlib
import sys

import typer

from harness import __version__
from harness.cli import (
    adapter,
    compare,
    data,
    doctor,
    frameworks,
    lr,
    network,
    parity,
    plan,
    prepare,
    report,
    run,
    sample,
)
from harness.errors import DlgaugeError

EXIT_ERROR = 2
EXIT_CANCELLED = 130

app = typer.Typer(
    name="dlgauge",
    help="Run identical deep-learning workloads on many frameworks, sample what they use, and compare.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: drawing it with rich would take longer than everything else that `--help` does.
    rich_markup_mode=None,
)
app.command()(plan.plan)
app.command()(run.run)
app.command()(compare.compare)
app.command()(report.report)
app.command()(frameworks.frameworks)
app.command()(prepare.prepare)
app.command()(doctor.doctor)
app.command()(parity.parity)
# Everything after COMMAND is the command's, options included.
app.command(context_settings={"allow_interspersed_args": False})(sample.sample)
app.add_typer(adapter.app)
app.add_typer(data.app)
app.add_typer(lr.app)
app.add_typer(network.app)


def _version(value: bool) -> None:
    if value:
        print(f"dlgauge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    del version


def main() -> None:
    """Run the program; an error a user can act on is one message and exit status 2, never a traceback."""
    try:
        app()
    except (DlgaugeError, OSError) as error:
        with contextlib.suppress(OSError):
            print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(EXIT_CANCELLED)
