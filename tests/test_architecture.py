"""The order of the parts (docs/architecture.md section 1), read from the imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.paths import PROJECT_ROOT

PARTS = [
    "schedules",
    "workloads",
    "study",
    "sampling",
    "execution",
    "records",
    "parity",
    "analysis",
    "reporting",
    "testing",
    "cli",
]
FOUNDATION = -1
FRAMEWORK_MODULES = {"tensorflow", "keras", "torch", "caffe", "theano", "jax", "flax", "mxnet", "optax"}
EXPORTS = {f"harness/schedules/export/{name}_table.py" for name in ("torch", "keras", "optax")}
"""What an exported schedule is made of: imported by nothing before a user calls for that framework's object."""
SHARED_WITH_WORKERS = {
    "frameworks.worker.protocol",
    "frameworks.worker.order",
    "frameworks.worker.launcher",
    "frameworks.worker.limits",
}

HARNESS_FILES = sorted((PROJECT_ROOT / "harness").rglob("*.py"))
FRAMEWORK_FILES = sorted((PROJECT_ROOT / "frameworks").rglob("*.py"))
WORKER_FILES = sorted((PROJECT_ROOT / "frameworks" / "worker").rglob("*.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT_ROOT))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports, `a.b.c` for `from a.b import c`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                folder = path.parent.relative_to(PROJECT_ROOT).parts
                package = ".".join(folder[: len(folder) - node.level + 1])
                base = f"{package}.{node.module}" if node.module else package
            else:
                base = node.module or ""
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}"


def rank(name: str) -> int:
    part = name.split(".")[1]
    return PARTS.index(part) if part in PARTS else FOUNDATION


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", HARNESS_FILES, ids=relative)
def test_a_part_imports_only_parts_to_its_left(path: Path) -> None:
    if path == PROJECT_ROOT / "harness" / "__init__.py":
        return  # the facade: `harness.load`
    own = rank(module_of(path))
    wrong = [
        f"{relative(path)}:{line} imports {name}"
        for line, name in imports(path)
        if name.startswith("harness.") and rank(name) > own
    ]
    assert wrong == []


@pytest.mark.parametrize("path", HARNESS_FILES, ids=relative)
def test_the_harness_knows_no_framework(path: Path) -> None:
    wrong = []
    for line, name in imports(path):
        if name.split(".")[0] in FRAMEWORK_MODULES and relative(path) not in EXPORTS:
            wrong.append(f"{relative(path)}:{line} imports {name}")
        if any(name.startswith(module_of(PROJECT_ROOT / export)) for export in EXPORTS):
            wrong.append(f"{relative(path)}:{line} imports {name}")
        if name.split(".")[0] == "frameworks" and not any(
            name == module or name.startswith(f"{module}.") for module in SHARED_WITH_WORKERS
        ):
            wrong.append(f"{relative(path)}:{line} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("path", sorted(EXPORTS))
def test_an_exported_file_needs_numpy_and_its_framework_alone(path: str) -> None:
    allowed = {"__future__", "numpy", {"optax": "jax"}.get(name := Path(path).stem.removesuffix("_table"), name)}
    assert [name for _, name in imports(PROJECT_ROOT / path) if name.split(".")[0] not in allowed] == []


@pytest.mark.parametrize("path", FRAMEWORK_FILES, ids=relative)
def test_what_runs_beside_a_framework_does_not_import_the_harness(path: Path) -> None:
    assert [f"{line}: {name}" for line, name in imports(path) if name.split(".")[0] == "harness"] == []


@pytest.mark.parametrize("path", WORKER_FILES, ids=relative)
def test_the_worker_needs_only_the_standard_library_and_numpy(path: Path) -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "frameworks"}
    wrong = [f"{line}: {name}" for line, name in imports(path) if name.split(".")[0] not in allowed]
    assert wrong == []
    outside = [name for _, name in imports(path) if name.startswith("frameworks.") and ".worker" not in name]
    assert outside == []


@pytest.mark.parametrize("path", WORKER_FILES, ids=relative)
def test_the_worker_is_python_3_7(path: Path) -> None:
    ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 7))


def test_the_checks_see_files_and_bite() -> None:
    assert len(HARNESS_FILES) > 30
    assert len(WORKER_FILES) > 3
    assert rank("harness.study.plan") < rank("harness.execution.local") < rank("harness.cli.run")
    assert rank("harness.errors") == FOUNDATION
    with pytest.raises(SyntaxError):
        ast.parse("(a := 1)", feature_version=(3, 7))
