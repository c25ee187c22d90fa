"""Where dlgauge keeps what it makes and finds what it ships."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def cache_folder() -> Path:
    """The cache, absolute: environments, prepared arrays, compiled modules.

    `DLGAUGE_CACHE`, else `$XDG_CACHE_HOME/dlgauge`, else `~/.cache/dlgauge`.
    """
    if explicit := os.environ.get("DLGAUGE_CACHE"):
        return Path(explicit).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base).absolute() / "dlgauge"


def frameworks_folders() -> list[Path]:
    """Folders searched for adapters: the project's own, then those of `DLGAUGE_FRAMEWORKS` (separated like `PATH`)."""
    extra = os.environ.get("DLGAUGE_FRAMEWORKS", "")
    return [PROJECT_ROOT / "frameworks", *(Path(part) for part in extra.split(os.pathsep) if part)]


def profiles_folder() -> Path:
    """The hardware profiles that come with the project."""
    return PROJECT_ROOT / "hardware_profiles"


def default_store() -> Path:
    """The store used when a command names none: `DLGAUGE_STORE`, else `results` in the working directory."""
    return Path(os.environ.get("DLGAUGE_STORE") or "results")
