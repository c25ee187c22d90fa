"""Which library Torch computes with, and with how many threads: chosen at the start, then looked at while it works."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile

from frameworks.worker import blas
from frameworks.worker.threads import named_threads, threads_used

ELEMENTS = 1 << 22
SIZE = 768
INTER_OP_POOL = "PTThreadPool"
FORKING = """
def one_more(x):
    return x + 1
def forked(x):
    return torch.jit._wait(torch.jit._fork(one_more, x))
"""


def choose(torch, name) -> None:
    """Put a profile's `blas` into force: `mkl` leaves convolutions to MKL's matrix products, any other to oneDNN.

    Without oneDNN Torch would take NNPACK for them, which is neither.
    """
    if name == "mkl" and not blas.libraries():
        torch.backends.mkldnn.set_flags(False)
        torch.backends.nnpack.set_flags(False)


def describe(torch, wanted: dict) -> dict:
    """`library` as in `Adapter.describe`, and `threads` as counted."""
    pool = pool_threads(torch, wanted["intra_op"])
    if blas.libraries():  # Debian's build: matrix products are those of the mapped libblas.so.3
        library = blas.describe_library(wanted["intra_op"])
        one_thread = library["name"] in ("reference", "atlas")
    else:
        library, one_thread = own_library(torch), False
        a = torch.ones(SIZE, SIZE)
        library["threads"] = threads_used(lambda: [torch.mm(a, a) for _ in range(4)], wanted["intra_op"])
    # A library that shares its work differently from Torch's own pool is what has to show.
    differs = not one_thread and library["threads"] not in (None, pool)
    intra_op = library["threads"] if differs else pool
    inter_op = inter_op_threads(torch, wanted.get("inter_op") or 1)
    return {"library": library, "threads": {"intra_op": intra_op, "inter_op": inter_op}}


def pool_threads(torch, wanted: int) -> "int | None":
    """Threads that share the work of an operation on every element of a large tensor."""
    values = torch.ones(ELEMENTS)
    result = torch.empty_like(values)
    torch.exp(values, out=result)
    return threads_used(lambda: [torch.exp(values, out=result) for _ in range(4)], wanted)


def inter_op_threads(torch, wanted: int) -> "int | None":
    """Threads of the pool between operations, which the first fork makes; None where Torch's compiler does not work."""
    try:
        torch.jit.CompilationUnit(FORKING).forked(torch.ones(1))
    except (RuntimeError, TypeError):  # Debian's build of 1.7.1 cannot compile
        return None
    return named_threads(INTER_OP_POOL, wanted)


def own_library(torch) -> dict:
    """The library in Torch's own binary that convolves: what Torch picks for a convolution, and what it then runs."""
    images, kernels, biases = torch.ones(8, 3, 28, 28), torch.ones(16, 3, 5, 5), torch.ones(16)
    picked = torch._C._select_conv_backend(images, kernels, biases, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    name = {"Mkldnn": "onednn", "Slow2d": "mkl"}.get(picked.name, picked.name.lower())
    with torch.no_grad():
        if name == "onednn":
            backend = torch.backends.mkldnn
            said = said_during(backend.verbose(1), lambda: torch.nn.functional.conv2d(images, kernels, biases))
            version, kernel = r"oneDNN v(\S+)", r"exec,cpu,convolution,([^,]+)"
        else:
            said = said_during(torch.backends.mkl.verbose(1), lambda: torch.mm(kernels[0, 0], kernels[0, 0]))
            version, kernel = r"oneMKL (\S+(?: Update \d+)?)", r"$^"
    found = {"name": name, "version": _first(version, said), "kernel": _first(kernel, said)}
    why = {"kernel": "MKL does not tell", "version": "the library did not say"}
    flags = {"mkldnn": str(torch._C._get_mkldnn_enabled()), "conv_backend": picked.name}
    unknown = {key: why[key] for key, value in found.items() if value is None and key in why}
    return dict(found, switches=dict(blas.switches(), **flags), unknown=unknown)


def said_during(verbose, work) -> str:
    """What the process writes to its standard output while `work` runs under a library's own `verbose`."""
    sys.stdout.flush()
    kept = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            with verbose:
                work()
            ctypes.CDLL(None).fflush(None)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        return file.read().decode("utf-8", "replace")


def _first(pattern: str, text: str) -> "str | None":
    found = re.search(pattern, text)
    return found.group(1) if found else None
