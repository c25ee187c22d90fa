"""Writing a result file: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.errors import DlgaugeError


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, replacing it by one rename; folders above it are made.

    A symbolic link stays: what it leads to is written. What is no regular file (a device, a pipe) is written into, not
    replaced.

    Raises:
        DlgaugeError: the file cannot be written.
    """
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, replacing it by one rename; folders above it are made. Errors as `write_text`."""
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(content)
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        # A temporary file is private; a result is as readable as any file that the user makes.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        what = f"the file cannot be written: {error.strerror or error}"
        raise DlgaugeError(what, where=str(path), hint="name another file, or get the space or permission") from error
