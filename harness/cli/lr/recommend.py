"""`dlgauge lr recommend`: a policy from the database, with its evidence."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

EXIT_NO_EVIDENCE = 1


def recommend(
    dataset: str = typer.Option(..., "--dataset", help="Dataset to train on."),
    network: str = typer.Option(..., "--network", help="Network to train."),
    framework: str = typer.Option(..., "--framework", help="Framework to train with."),
    batch_size: int = typer.Option(None, "--batch-size", min=1, help="Images a step; default: any."),
    budget_steps: int = typer.Option(None, "--budget-steps", min=1, help="Steps that there are for the training."),
    budget_minutes: float = typer.Option(None, "--budget-minutes", help="Minutes of training time that there are."),
    store: Path = typer.Option(None, "--store", help="Folder of the records; default: DLGAUGE_STORE, else results."),
    as_json: bool = typer.Option(False, "--json", help="Print the answer as JSON."),
) -> None:
    """Recommend a learning-rate policy, say what evidence that rests on and how near it is to what is asked.

    Exit status: 0 with a recommendation, 1 where there is no evidence: the command to make some is printed.
    """
    from harness.analysis.policies.database import PolicyDatabase
    from harness.analysis.policies.nearness import Wanted
    from harness.analysis.policies.recommending import recommend as find
    from harness.errors import DlgaugeError
    from harness.paths import default_store
    from harness.reporting import policy_verdicts

    if budget_steps is not None and budget_minutes is not None:
        raise DlgaugeError("--budget-steps and --budget-minutes exclude each other", hint="give one of them")
    if budget_minutes is not None and not 0 < budget_minutes < float("inf"):
        raise DlgaugeError(f"the budget should be a positive number of minutes, not {budget_minutes:g}")
    content = _check_names(dataset, network, framework)
    folder = store or default_store()
    wanted = Wanted(
        dataset=dataset,
        network=network,
        framework=framework,
        content_sha256=content,
        batch_size=batch_size,
        budget_steps=budget_steps,
        budget_s=None if budget_minutes is None else budget_minutes * 60,
    )
    rows = PolicyDatabase(folder).select() if folder.is_dir() else []
    found = find(rows, wanted)
    command = None
    if found.ranking is None or found.differences:
        command = next_command(wanted.dataset, wanted.network, wanted.framework, store)
    write = policy_verdicts.recommendation_json if as_json else policy_verdicts.recommendation_text
    typer.echo(write(found, command), nl=False)
    if found.ranking is None:
        raise typer.Exit(EXIT_NO_EVIDENCE)


def next_command(dataset: str, network: str, framework: str, store: Path | None) -> str:
    """The range test that would make evidence of what is asked, for a workload of the project where there is one."""
    from harness.workloads.settings import setting_names
    from harness.workloads.workload import load_workload, workload_names

    base, _, variant = dataset.partition("@")
    names = [
        name
        for name in workload_names()
        if (found := load_workload(name)).dataset.name == base and found.network.name == network
    ]
    if not names:
        return (
            f"write a workload that joins {dataset} and {network} (docs/studies.md), then: "
            f"dlgauge lr range-test WORKLOAD.yaml --setting SETTING --framework {framework}"
        )
    workload = names[0] + (f"@{variant}" if variant else "")
    setting = next((name for name in (names[0], network, "caffe-mnist") if name in setting_names()), "SETTING")
    command = ["dlgauge", "lr", "range-test", workload, "--setting", setting, "--framework", framework]
    return shlex.join([*command, *(["--store", str(store)] if store else [])])


def _check_names(dataset: str, network: str, framework: str) -> str | None:
    """The hash of the dataset's content where the project describes it; an unknown framework or network is a slip."""
    from harness.errors import DlgaugeError
    from harness.study import load_frameworks
    from harness.validation import nearest
    from harness.workloads.datasets.description import load_description
    from harness.workloads.networks import load_network
    from harness.yaml_files import UnknownName

    known = load_frameworks()
    if framework not in known:
        raise DlgaugeError(f"unknown framework {framework!r}{nearest(framework, known)}")
    load_network(network)
    try:
        return str(load_description(dataset).content_sha256)
    except UnknownName as error:
        raise DlgaugeError(error.what, hint="`dlgauge data list` names the datasets") from None
