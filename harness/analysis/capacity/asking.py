"""Questions from a file or a command line to answers."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.capacity.fits import FitAnswer, answer_fit
from harness.analysis.capacity.mixes import FleetAnswer, answer_fleet
from harness.analysis.capacity.models import CapacityModels
from harness.analysis.capacity.packing import PackAnswer, answer_pack
from harness.analysis.capacity.questions import Fit, Fleet, Pack, Question, QuestionFile, Size
from harness.analysis.capacity.sizes import SizeAnswer, answer_size
from harness.errors import DlgaugeError
from harness.yaml_files import YamlDocument, load_yaml, validate

Answer = FitAnswer | SizeAnswer | PackAnswer | FleetAnswer


def load_questions(path: Path) -> tuple[QuestionFile, YamlDocument]:
    """The questions of a file, and the file for the lines of later errors.

    Raises:
        FileFormatError: every problem of the file, with file, line, key and value.
    """
    document = load_yaml(path)
    return validate(document, QuestionFile), document


def answer(models: CapacityModels, question: Question, relative_to: Path | None = None) -> Answer:
    """The answer to one question.

    Args:
        relative_to: folder that relative files of profiles and workloads start from.

    Raises:
        DlgaugeError: what the question names does not exist, or is not said clearly enough.
    """
    if isinstance(question, Fit):
        return answer_fit(models, question, relative_to)
    if isinstance(question, Size):
        return answer_size(models, question, relative_to)
    if isinstance(question, Pack):
        return answer_pack(models, question, relative_to)
    assert isinstance(question, Fleet)
    return answer_fleet(models, question, relative_to)


def answers(models: CapacityModels, file: QuestionFile, document: YamlDocument) -> list[Answer]:
    """The answers to the questions of a file, in their order.

    Raises:
        DlgaugeError: with file and line of the question that it is about.
    """
    found = []
    for index, question in enumerate(file.questions):
        try:
            found.append(answer(models, question, document.path.resolve().parent))
        except DlgaugeError as error:
            where = document.where(("questions", index))
            what = f"{error.where}: {error.what}" if error.where else error.what
            raise DlgaugeError(what, where=where, hint=error.hint) from None
    return found
