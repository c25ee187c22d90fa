"""Parity certificates: where they are kept, and which of them covers a trial."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.paths import cache_folder
from harness.workloads import parameter_settings, resolve_network

CERTIFICATE_VERSION = 1

LOCAL_ARITHMETIC = {"blas": None, "precision": "float32"}
"""What of the profile `local` decides the arithmetic."""


def subject_sha256(network: Mapping[str, Any], setting: Mapping[str, Any], loss: str) -> str:
    """What a certificate is about: the network, the optimizer with all multipliers, and the loss.

    Not part of it: names, initial values, learning rates, order and size of mini-batches. The harness hands those to
    every adapter alike, so they cannot set two adapters apart.
    """
    resolved = resolve_network(network)
    value = {
        "input": resolved["input"],
        "layers": resolved["layers"],
        "parameters": parameter_settings(network, setting),
        "optimizer": setting["optimizer"],
        "weight_average": setting.get("weight_average"),
        "loss": loss,
    }
    return _sha256(value)


def certificates_folder() -> Path:
    """Where certificates lie: `certificates/<subject>/<certificate>.json` in the cache."""
    return cache_folder() / "certificates"


def keep_certificate(content: Mapping[str, Any]) -> tuple[str, Path]:
    """Store a certificate under the hash of its content; returns hash and file.

    Raises:
        StoreError: it cannot be written.
    """
    sha256 = _sha256(content)
    path = certificates_folder() / str(content["subject_sha256"]) / f"{sha256}.json"
    temporary = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({**content, "sha256": sha256}, indent=1) + "\n")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"the certificate cannot be kept: {error}", where=str(path)) from None
    return sha256, path


def covering_certificate(specification: Mapping[str, Any], code_sha256: str | None) -> str | None:
    """Hash of the newest certificate that covers a trial; None where there is none.

    It has to be about the trial's network and optimizer, and to say that this framework, in this version and
    environment, with this very adapter and worker code, agrees with the reference under a profile of the trial's own
    library and precision.
    """
    subject = subject_sha256(
        specification["workload"]["network"], specification["setting"], specification["workload"]["loss"]
    )
    found: list[tuple[str, str]] = []
    for path in (certificates_folder() / subject).glob("*.json"):
        try:
            content = json.loads(path.read_text())
            own = content["frameworks"].get(specification["framework"]["name"], {})
            if _covers(own, specification["framework"], code_sha256) and _same_arithmetic(content, specification):
                found.append((str(content["made_at"]), str(content["sha256"])))
        except (OSError, ValueError, KeyError, AttributeError):
            continue  # a damaged certificate proves nothing
    return max(found)[1] if found else None


def _covers(own: Mapping[str, Any], framework: Mapping[str, Any], code_sha256: str | None) -> bool:
    return (
        own.get("verdict") == "agrees"
        and own.get("code_sha256") == code_sha256
        and all(own.get(key) == framework.get(key) for key in ("version", "environment_sha256"))
    )


def _same_arithmetic(content: Mapping[str, Any], specification: Mapping[str, Any]) -> bool:
    """Whether a certificate was made on the trial's library and in its precision.

    A certificate without a profile was made under `local`: on the framework's own library, in float32.
    """
    proven, own = content.get("profile") or {}, specification.get("profile") or {}
    return all(proven.get(key, usual) == own.get(key, usual) for key, usual in LOCAL_ARITHMETIC.items())


def _sha256(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
