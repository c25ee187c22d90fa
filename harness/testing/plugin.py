"""pytest's option of the contract suite.

An entry point of the package: pytest would see an option of the suite's own `conftest.py` only where it is started.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--adapter`, of use only with `harness.testing.contract`."""
    parser.getgroup("dlgauge").addoption(
        "--adapter",
        metavar="FRAMEWORK",
        help="the framework whose adapter harness.testing.contract tests; one from outside the project is found "
        "through DLGAUGE_FRAMEWORKS",
    )
