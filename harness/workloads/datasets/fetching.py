"""Downloading published files over HTTP from a list of mirrors: resumed where it broke off, verified at the end."""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness import __version__
from harness.errors import DataError

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are there, and how many it will have (None where nobody says)."""

Check = Callable[[Path], str | None]
"""What is wrong with a downloaded file; None where it is the right one."""

_CHUNK = 1 << 16
_RETRIED = (408, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class Patience:
    """When a mirror is given up.

    Attributes:
        silence_s: longest time without data, for connecting and for reading.
        slowest_bytes_per_s: a transfer that is slower for `silence_s` counts as stalled.
        attempts: tries in a row that bring next to nothing.
        pause_s: between two tries.
    """

    silence_s: float = 30.0
    slowest_bytes_per_s: float = 512.0
    attempts: int = 3
    pause_s: float = 1.0


class _Refused(Exception):
    """The mirror has not the file, or another one: trying again is of no use."""


class _Interrupted(Exception):
    """The transfer ended early; what has arrived is kept."""


def download(
    name: str,
    mirrors: Sequence[str],
    folder: Path,
    check: Check,
    *,
    expected_bytes: int | None = None,
    progress: Progress = lambda *_: None,
    patience: Patience | None = None,
) -> Path:
    """Get a file into a folder; what arrives stands as `<name>.part` until it is whole and verified.

    Args:
        mirrors: addresses that `name` is appended to, tried in this order.
        check: decides whether a whole file is the right one.
        expected_bytes: of the file as it is on the mirrors, where that is known.

    Raises:
        DataError: no mirror gave the right file (each with what went wrong); the folder cannot be written; another
            process is getting the same file.
    """
    part, problems = folder / f"{name}.part", []
    with _locked(part):
        for mirror in mirrors:
            transfer = _Transfer(mirror + name, part, expected_bytes, progress, patience or Patience())
            problem = transfer.run(check)
            if problem is None:
                part.replace(folder / name)
                return folder / name
            problems.append(f"{mirror}{name}: {problem}")
    kept = f"; {part.stat().st_size} bytes are kept, the next try goes on from there" if part.is_file() else ""
    raise DataError(
        "\n  ".join([f"{name} could not be fetched{kept}", *problems]),
        hint="get the file in another way, and take it in with `dlgauge data import FOLDER`",
    )


@contextmanager
def _locked(part: Path) -> Iterator[None]:
    """Only one process at a time gets files into a folder: the folder itself is what is locked."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part.parent, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"cannot be written: {error}", where=str(part)) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError("another process is getting files into this folder", where=str(part.parent)) from None
    except OSError as error:
        raise DataError(f"cannot be written: {error}", where=str(part)) from None
    finally:
        os.close(descriptor)


class _Transfer:
    """One file from one mirror."""

    def __init__(
        self, url: str, part: Path, expected_bytes: int | None, progress: Progress, patience: Patience
    ) -> None:
        self._url = url
        self._part = part
        self._expected = expected_bytes
        self._progress = progress
        self._patience = patience

    def run(self, check: Check) -> str | None:
        """Bring the file to its end and check it; returns what went wrong, None where nothing did.

        Wrong content is thrown away. Where its beginning came from an earlier try, perhaps from another mirror, the
        file is then got once more as a whole.
        """
        while True:
            began_elsewhere = self._here() > 0
            try:
                self._complete()
            except (_Refused, _Interrupted) as error:
                return str(error)
            problem = check(self._part)
            if problem is None:
                return None
            self._part.unlink()
            if not began_elsewhere:
                return problem

    def _here(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _complete(self) -> None:
        """Try until all is there; a try that brought something is followed by another one."""
        failures = 0
        while True:
            before = self._here()
            try:
                self._try()
                return
            except _Interrupted:
                failures = 1 if self._here() >= before + _CHUNK else failures + 1
                if failures >= self._patience.attempts:
                    raise
                time.sleep(self._patience.pause_s)

    def _try(self) -> None:
        here = self._here()
        headers = {"User-Agent": f"dlgauge/{__version__}", "Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
        try:
            request = urllib.request.Request(self._url, headers=headers)
            with urllib.request.urlopen(request, timeout=self._patience.silence_s) as response:
                resumed = response.status == http.client.PARTIAL_CONTENT and _range_begin(response) == here
                self._receive(response, here if resumed else 0)
        except urllib.error.HTTPError as error:
            self._answered(error, here)
        except TimeoutError:
            raise _Interrupted(f"no data for {self._patience.silence_s:g} s ({self._here()} bytes are there)") from None
        except urllib.error.URLError as error:
            raise _Interrupted(f"no connection: {error.reason}") from None
        except (ConnectionError, http.client.HTTPException) as error:
            raise _Interrupted(f"broke off after {self._here()} bytes: {error or type(error).__name__}") from None

    def _answered(self, error: urllib.error.HTTPError, here: int) -> None:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and here:
            total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
            if total and int(total[1]) == here:
                return  # everything was there already
            self._part.unlink()
            raise _Interrupted("what was there did not fit the file") from None
        text = f"HTTP status {error.code} {error.reason}"
        raise (_Interrupted if error.code in _RETRIED else _Refused)(text) from None

    def _receive(self, response: http.client.HTTPResponse, here: int) -> None:
        total = here + response.length if response.length is not None else None
        if total is not None and self._expected is not None and total != self._expected:
            raise _Refused(f"another file: {total} bytes instead of {self._expected}")
        with self._part.open("ab" if here else "wb") as file:
            window_ns, window_bytes = time.monotonic_ns(), here
            while chunk := response.read1(_CHUNK):
                file.write(chunk)
                here += len(chunk)
                self._progress(self._part.stem, here, total or self._expected)
                if self._expected is not None and here > self._expected:
                    break
                seconds = (time.monotonic_ns() - window_ns) / 1e9
                if seconds >= self._patience.silence_s:
                    if here - window_bytes < self._patience.slowest_bytes_per_s * seconds:
                        raise _Interrupted(f"stalled: {here - window_bytes} bytes in {seconds:.1f} s")
                    window_ns, window_bytes = time.monotonic_ns(), here
        self._judge_length(here, total)

    def _judge_length(self, here: int, total: int | None) -> None:
        if self._expected is not None and here > self._expected:
            self._part.unlink()
            raise _Refused(f"another file: more than {self._expected} bytes")
        wanted = total if total is not None else self._expected
        if wanted is not None and here < wanted:
            raise _Interrupted(f"broke off after {here} of {wanted} bytes")


def _range_begin(response: http.client.HTTPResponse) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None
