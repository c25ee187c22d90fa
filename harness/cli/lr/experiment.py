"""What `range-test` and `tune` share: options of their runs, and running them into a store."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.cli.progress import PlainObserver
    from harness.cli.run import StoreKeeper
    from harness.execution.stopping import StopRequest
    from harness.tuning.experiment import Experiment

WORKLOAD = typer.Argument(help="Workload to train, such as lenet-mnist-subset.")
SETTING = typer.Option("own", "--setting", help="Setting: a name, a file, or `own` for that of the workload's name.")
FRAMEWORK = typer.Option(..., "--framework", help="Framework to train on; several: repeat it, or names with commas.")
PROFILE = typer.Option("local", "--profile", help="Hardware profile.")
SEEDS = typer.Option(1, "--seeds", min=1, help="Seeds 1 to N; more of them later go on where this stopped.")
HOLD_OUT = typer.Option(
    None, "--hold-out", min=1, help="Training images held out to judge by; default: those of the setting, else a tenth."
)
STORE = typer.Option(None, "--store", help="Where the records go; default: DLGAUGE_STORE, else results.")
DATA = typer.Option(None, "--data", help="Folder of the published dataset files; default: DLGAUGE_DATA.")
STUDY = typer.Option(None, "--study", help="Name of the study in the store; default: of command and workload.")
TIME_LIMIT_S = typer.Option(3600.0, "--time-limit", min=1, help="Seconds after which a single run is ended.")
JSON = typer.Option(False, "--json", help="Print the result as JSON; progress goes to standard error.")

EXIT_CANCELLED = 130


@dataclass(frozen=True)
class Asked:
    """The options of a command, as they were given."""

    workload: str
    setting: str
    frameworks: list[str]
    profile: str
    seeds: int
    hold_out: int | None
    store: Path | None
    data: Path | None
    time_limit_s: float

    @property
    def store_path(self) -> Path:
        """The store."""
        from harness.paths import default_store

        return self.store or default_store()

    def names(self) -> tuple[str, ...]:
        """The frameworks, each once."""
        given = (name.strip() for text in self.frameworks for name in text.split(","))
        return tuple(dict.fromkeys(name for name in given if name))

    def experiment(self, study: str | None, prefix: str, title: str, steps: int | None) -> Experiment:
        """What is to be trained."""
        from harness.tuning.experiment import Experiment

        name = study or f"{prefix}-{Path(self.workload).stem.split('@')[0]}"
        return Experiment(
            study=name,
            title=title,
            workload=self.workload,
            setting=self.setting,
            frameworks=self.names(),
            profile=self.profile,
            seeds=tuple(range(1, self.seeds + 1)),
            steps=steps,
            hold_out=self.hold_out,
            time_limit_s=self.time_limit_s,
        )

    def check_data(self) -> None:
        """The data folder is there.

        Raises:
            DataError: it is not.
        """
        from harness.errors import DataError

        if self.data is not None and not self.data.is_dir():
            what = f"the data folder {str(self.data)!r} does not exist"
            raise DataError(what, hint="name the folder of the published files")

    def words(self, *, framework: str | None = None) -> str:
        """The options that a further command on the same runs repeats, quoted for a shell."""
        parts = [self.workload, "--setting", self.setting]
        if framework:
            parts += ["--framework", framework]
        if self.profile != "local":
            parts += ["--profile", self.profile]
        for name, path in (("--store", self.store), ("--data", self.data)):
            parts += [name, str(path)] if path is not None else []
        return shlex.join(parts)


@contextlib.contextmanager
def running(store: Path, *, quiet: bool) -> Iterator[tuple[StoreKeeper, StopRequest, PlainObserver]]:
    """The store, a request that signals make, and an observer; what is said in between goes to stderr when `quiet`."""
    from harness.cli.progress import make_observer
    from harness.cli.run import StoreKeeper, stop_on_signals

    keeper = StoreKeeper(store)
    with contextlib.ExitStack() as stack:
        if quiet:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        for record in keeper.salvaged.records:
            print(f"kept what an earlier run left behind: {record.label}: {record.termination} ({record.path})")
        stop = stack.enter_context(stop_on_signals())
        yield keeper, stop, stack.enter_context(make_observer())
