"""Append fixed-size records to a file, safely against a crash: what was flushed is readable."""

from __future__ import annotations

import errno
import os
import struct

from harness.sampling.schema import header

_MOST_WAITING_BYTES = 4 << 20


class RecordFile:
    """A file of records: buffered by `append`, written by `flush`.

    When the disk is full the records wait in memory, up to 4 MiB; what comes after that is counted as dropped.
    """

    def __init__(self, path: str, magic: bytes, record: struct.Struct) -> None:
        self.records_dropped = 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._waiting = bytearray(header(magic, record))
        self.flush()

    def append(self, record: bytes) -> None:
        """Add one packed record."""
        if len(self._waiting) > _MOST_WAITING_BYTES:
            self.records_dropped += 1
        else:
            self._waiting += record

    def flush(self) -> None:
        """Hand everything to the kernel: it survives the death of this process."""
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._descriptor)
