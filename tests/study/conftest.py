from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.study import FrameworkDescription, Study, load_frameworks, load_study

FRAMEWORKS = {
    "alpha": """
framework: alpha
title: Alpha
version: "1.0"
environment: venv
honours: {threads: [intra_op, inter_op], blas: [], precision: [float32], gpus: true}
""",
    "beta": """
framework: beta
title: Beta
version: "2.0"
environment: container
honours: {threads: [intra_op], blas: [openblas, reference], precision: [float32], gpus: false}
unsupported_layers: [batch_norm]
environment_variables: {OPENBLAS_NUM_THREADS: "{intra_op}", POOLS: "{intra_op}x{inter_op}"}
blas_folders: {openblas: /opt/openblas, reference: /opt/reference}
""",
}

STUDY = """\
study: example
frameworks: [alpha, beta]
workloads: [lenet-mnist-subset]
settings: [caffe-mnist]
seeds: [1, 2]
"""


@pytest.fixture
def frameworks_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "frameworks"
    for name, text in FRAMEWORKS.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "environment.yaml").write_text(text)
    return folder


@pytest.fixture
def frameworks(frameworks_folder: Path) -> dict[str, FrameworkDescription]:
    return load_frameworks([frameworks_folder])


@pytest.fixture
def study_of(tmp_path: Path, frameworks: dict[str, FrameworkDescription]) -> Callable[..., Study]:
    """Loads `STUDY` with lines added, or another text, on a machine with four CPUs."""

    def load(more: str = "", *, text: str = STUDY, cpus: tuple[int, ...] = (0, 1, 2, 3)) -> Study:
        path = tmp_path / "x.yaml"
        path.write_text(text + more)
        return load_study(path, frameworks=frameworks, cpus=cpus)

    return load
