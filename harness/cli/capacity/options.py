"""What the commands of `dlgauge capacity` share: options, the question, the output."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from harness.analysis.capacity.asking import Answer
    from harness.analysis.capacity.models import CapacityModels


class Format(StrEnum):
    """Forms of an answer."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    LATEX = "latex"


STORE = typer.Argument(None, help="Folder of the records; default: $DLGAUGE_STORE, else results.")
STUDY = typer.Option(
    None, "--study", help="Only records of this study, given again for more; default: all of the store."
)
FORMAT = typer.Option(Format.TABLE, "--format", "-f", help="Form of the output.")
OUTPUT = typer.Option(None, "--output", "-o", help="Write to this file instead of the terminal.")
FRAMEWORK = typer.Option(..., "--framework", help="Framework of the job.")
WORKLOAD = typer.Option(..., "--workload", help="Workload of the job.")
BATCH_SIZE = typer.Option(..., "--batch-size", min=1, help="Its batch size.")
STEPS = typer.Option(None, "--steps", min=1, help="Its length in training steps.")
EPOCHS = typer.Option(None, "--epochs", help="Its length in passes over the training split.")
ACCURACY = typer.Option(
    None, "--accuracy", help="Its end: the top-1 on the test images, in percent, at which it is done."
)
JOB_KEYS = typer.Option(
    None,
    "--job",
    metavar="KEY=VALUE",
    help="Another key of the job, such as blas=onednn or learning_rate=0.01; may be repeated.",
)
MACHINE_HELP = "name or file of a hardware profile, or resources such as 'cpus=2,memory=4 GiB,price_per_hour=0.10'."


def job_of(
    framework: str,
    workload: str,
    batch_size: int,
    keys: Sequence[str] | None,
    steps: int | None = None,
    epochs: float | None = None,
    accuracy: float | None = None,
) -> dict[str, Any]:
    """The job of an ordinary command line as plain values."""
    lengths = {"steps": steps, "epochs": epochs, "accuracy": accuracy}
    given = {key: value for key, value in lengths.items() if value is not None}
    return {
        **key_values(keys or (), "--job"),
        "framework": framework,
        "workload": workload,
        "batch_size": batch_size,
        **given,
    }


def key_values(texts: Sequence[str], option: str) -> dict[str, Any]:
    """`KEY=VALUE` texts, several in one text separated by commas, as plain values.

    Raises:
        DlgaugeError: a part without `=`, or a key given twice.
    """
    from harness.errors import DlgaugeError
    from harness.yaml_files import parse_yaml

    found: dict[str, Any] = {}
    for part in (one.strip() for text in texts for one in text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise DlgaugeError(f"{option} should be KEY=VALUE, separated by commas, not {part!r}")
        if key.strip() in found:
            raise DlgaugeError(f"{option} gives {key.strip()} twice")
        found[key.strip()] = parse_yaml(f"value: {value}", Path(option)).value["value"]
    return found


def machine_of(text: str, option: str) -> Any:
    """A machine as plain values: a profile's name, resources, or both: `cpu2,price_per_hour=0.1`."""
    name, _, rest = text.partition(",")
    if "=" in name:
        return key_values([text], option)
    return {"profile": name.strip(), **(key_values([rest], option) if rest else {})}


def answer_question(store: Path | None, studies: Sequence[str] | None, question: dict[str, Any]) -> tuple[Answer, Path]:
    """The answer to a question of a command line.

    Raises:
        DlgaugeError: the question is not valid; there are no records; what `answer` raises.
    """
    from pydantic import ValidationError

    from harness.analysis.capacity.asking import answer
    from harness.analysis.capacity.questions import QuestionFile
    from harness.errors import DlgaugeError
    from harness.validation import problems_of

    try:
        file = QuestionFile.model_validate({"questions": [question]})
    except ValidationError as error:
        messages = [
            one.message.replace("questions[0].", "").replace(" in questions[0]", "")
            for one in problems_of(error, QuestionFile)
        ]
        raise DlgaugeError("\n".join(dict.fromkeys(messages)), where="the question") from None
    folder, fitted = fitted_models(store, studies)
    return answer(fitted, file.questions[0], Path()), folder


def fitted_models(store: Path | None, studies: Sequence[str] | None) -> tuple[Path, CapacityModels]:
    """The folder of the records and the models fitted to them."""
    from harness.analysis.capacity.models import fit_models
    from harness.analysis.observations import observations
    from harness.paths import default_store

    folder = store or default_store()
    return folder, fit_models(observations(folder, list(studies) if studies else None))


def write_answers(answers: Sequence[Answer], store: Path, format_: Format, output: Path | None) -> None:
    """Print answers, or write them to a file."""
    from harness.reporting import capacity_answers, capacity_json

    if format_ is Format.JSON:
        text = capacity_json.answers_json(answers, store)
    elif format_ is Format.CSV:
        text = capacity_json.answers_csv(answers)
    else:
        text = sheets_text([capacity_answers.sheet(one) for one in answers], format_)
    emit(text, output)


def sheets_text(sheets: Sequence[Any], format_: Format) -> str:
    """Tables in one of the forms for people."""
    from harness.reporting import capacity_sheets

    if format_ is Format.MARKDOWN:
        return capacity_sheets.markdown(sheets)
    return capacity_sheets.latex(sheets) if format_ is Format.LATEX else capacity_sheets.plain(sheets)


def emit(text: str, output: Path | None) -> None:
    """To the terminal or a file."""
    if output is None:
        typer.echo(text, nl=False)
        return
    from harness.reporting.files import write_text

    write_text(output, text)
    typer.echo(f"written: {output}", err=True)
