"""Which release of Torch an environment holds, where Torch itself was not told."""

from __future__ import annotations

import pytest

from frameworks.torch.adapter import release

DEBIAN = "CXX_FLAGS=-g -O2 -ffile-prefix-map=/build/reproducible-path/pytorch-1.7.1=. -fstack-protector-strong"
WHEEL = "CXX_FLAGS=-fvisibility-inlines-hidden -DUSE_PTHREADPOOL -DUSE_KINETO, TORCH_VERSION=2.13.0"


@pytest.mark.parametrize(
    ("version", "build", "expected"), [("1.7.0a0", DEBIAN, "1.7.1"), ("2.13.0+cpu", WHEEL, "2.13.0+cpu")]
)
def test_the_release_is_the_one_built_from(version: str, build: str, expected: str) -> None:
    assert release(version, build) == expected
