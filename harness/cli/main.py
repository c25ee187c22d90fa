"""The `dlgauge` program: one module per sub-command, imported only when it runs."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import NoReturn

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
    store,
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
app.add_typer(store.app)


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
    _open_missing()
    try:
        try:
            app()
        except SystemExit:
            _flush()  # what does not fit is told here, not by the interpreter after the last word
            raise
    except DlgaugeError as error:
        _fail(str(error))
    except OSError as error:
        _fail(_words(error))
    except KeyboardInterrupt:
        sys.exit(EXIT_CANCELLED)


def _open_missing() -> None:
    """Make a standard stream that is closed (`>&-`) the null device: else the next file opened would take its number.

    A child process writes its output to that number, whatever file it is.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their numbers
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has had enough, as in `| head`
        _close_output()
        sys.exit(1)
    except OSError as error:
        _close_output()
        what = f"standard output cannot be written: {error.strerror or error}"
        raise DlgaugeError(what, hint="what is there is not whole") from error


def _close_output() -> None:
    """Let what is still to be written vanish: the interpreter would try it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> NoReturn:
    with contextlib.suppress(OSError):
        print(f"error: {message}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _close_output()
    sys.exit(EXIT_ERROR)


def _words(error: OSError) -> str:
    """An error of the operating system that no command has foreseen, without its number."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        named = error.filename  # the number of a descriptor, where the call was given one
        return f"{f'descriptor {named}' if isinstance(named, int) else os.fsdecode(named)}: {reason}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return f"writing failed, to standard output or a file: {reason}\n  what is there is not whole"
    return reason
