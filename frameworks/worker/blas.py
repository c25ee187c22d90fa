"""The BLAS that a process really computes with: which library is mapped, its version, its kernel, its threads.

Standard library + NumPy only; Python 3.7 or newer. docs/libraries.md says where each fact comes from.
"""

from __future__ import annotations

import ctypes
import os
import re
import time

import numpy as np

from frameworks.worker.threads import threads_used

PATTERNS = (
    ("openblas", re.compile(r"openblas")),
    ("mkl", re.compile(r"libmkl|mkl_rt")),
    ("atlas", re.compile(r"atlas")),
    ("blis", re.compile(r"libblis|/blis")),
    ("reference", re.compile(r"/blas/libblas\.so|libblas\.so\.3\.\d+\.\d+$")),
)
SWITCHES = re.compile(
    r"^(OPENBLAS|MKL|BLIS|OMP|GOMP|KMP|ONEDNN|DNNL|TF_ENABLE_ONEDNN|XLA|TF_XLA)_|^(LD_PRELOAD|NPROC)$"
)
PROBE_S = 0.03
PROBE_SIZES = (256, 2048)
PROBE_REPEATS = 8
"""The quickest counts: one that had to wait for a processor would make the product too small to be shared visibly."""


def read_maps() -> str:
    """The text of `/proc/self/maps`; empty where there is none."""
    try:
        with open("/proc/self/maps") as file:
            return file.read()
    except OSError:
        return ""


def mapped_files(maps: str) -> "list[str]":
    """Paths of the mapped shared libraries, each once, sorted."""
    return sorted({line.split(None, 5)[5].strip() for line in maps.splitlines() if line.count("/") and ".so" in line})


def loaded_blas(maps: str) -> "list[dict]":
    """BLAS libraries among the mapped files, `{name, path}`, each path once, in the order of their paths.

    A library that a framework carries inside its own binary (Eigen, oneDNN) does not show here; one that came with
    NumPy's wheel has `of: numpy`: no framework but NumPy itself computes with it.
    """
    found = []
    for path in mapped_files(maps):
        for name, pattern in PATTERNS:
            if pattern.search(path):
                of_numpy = {"of": "numpy"} if "/numpy.libs/" in path or "/scipy.libs/" in path else {}
                found.append(dict({"name": name, "path": path}, **of_numpy))
                break
    return found


def libraries(of: "str | None" = None) -> "list[dict]":
    """The loaded BLAS libraries that the framework computes with; `of="numpy"`: those of NumPy's wheel."""
    return [library for library in loaded_blas(read_maps()) if library.get("of") == of]


def switches() -> "dict[str, str]":
    """Environment variables of this process that numerical libraries read."""
    return {name: value for name, value in sorted(os.environ.items()) if SWITCHES.search(name)}


def describe_library(wanted_threads: int, of: "str | None" = None) -> dict:
    """What is known of the BLAS in use: `name`, `version`, `kernel`, `threads`, `threads_told`, `switches`, `unknown`.

    `name` joins all names with `+` where more than one library is mapped. `threads` is what a multiplication really
    used, `threads_told` what the library itself says. `unknown` has the reason for every one that is None.
    """
    found = libraries(of)
    names = sorted({library["name"] for library in found})
    about: "dict[str, object]" = dict.fromkeys(("version", "kernel", "threads", "threads_told"))
    about["name"] = "+".join(names) or None
    if len(names) == 1:
        unknown = _look_into(names[0], found, wanted_threads, about)
    else:
        unknown = dict.fromkeys(about, "%s BLAS is mapped" % ("more than one" if names else "no"))
    reasons = {key: unknown.get(key, "the library does not tell") for key, value in about.items() if value is None}
    return dict(about, switches=switches(), unknown=reasons)


def _look_into(name: str, found: "list[dict]", wanted_threads: int, about: "dict[str, object]") -> "dict[str, str]":
    """Fill in what the one library in use tells; returns the reasons for what it does not."""
    try:
        handle, path = _handle(found)
        # MKL decides on its kernel, and loads it, in the first multiplication.
        about["threads"] = threads_used(_multiplication(handle), wanted_threads)
        about.update(ABOUT[name](handle, path))
    except (OSError, AttributeError) as error:  # a build without that function, or without its other half
        return dict.fromkeys(about, str(error))
    no_count = {} if about["threads"] else {"threads": "the kernel keeps no schedstat"}
    return dict(WHY_NOT[name], **no_count)


def _handle(found: "list[dict]"):
    """The mapped library that has `sgemm`, and its path; it is not loaded anew."""
    for library in found:
        handle = ctypes.CDLL(library["path"])
        if _sgemm_of(handle) is not None:
            return handle, library["path"]
    raise OSError("no sgemm in %s" % ", ".join(library["path"] for library in found))


def _sgemm_of(handle):
    """`sgemm` with 32-bit or (in NumPy's own wheels) 64-bit integers, and the type of those."""
    for name, integer in (
        ("sgemm_", ctypes.c_int32),
        ("scipy_sgemm_64_", ctypes.c_int64),
        ("sgemm_64_", ctypes.c_int64),
    ):
        if hasattr(handle, name):
            return getattr(handle, name), integer
    return None


def _multiplication(handle):
    """A function that multiplies two square matrices, of a size for which this takes about `PROBE_S`."""
    sgemm, integer = _sgemm_of(handle)

    def of_size(size):
        a, b, c = (np.ones((size, size), np.float32) for _ in range(3))
        n, letter = ctypes.byref(integer(size)), ctypes.c_char_p(b"N")
        one, zero = ctypes.byref(ctypes.c_float(1.0)), ctypes.byref(ctypes.c_float(0.0))
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (a, b, c)]
        # The last two are the hidden lengths of Fortran's two letters.
        arguments = (letter, letter, n, n, n, one, pointers[0], n, pointers[1], n, zero, pointers[2], n)
        lengths = (ctypes.c_size_t(1), ctypes.c_size_t(1))
        return lambda: (sgemm(*arguments, *lengths), a, b, c)

    smallest, largest = PROBE_SIZES
    small, times_s = of_size(smallest), []
    small()
    for _ in range(PROBE_REPEATS):
        begin = time.monotonic()
        small()
        times_s.append(time.monotonic() - begin)
    scale = (PROBE_S / max(min(times_s), 1e-6)) ** (1 / 3)
    return of_size(int(min(max(smallest, smallest * scale), largest)))


def _text_of(handle, *names) -> "str | None":
    """What the first of these functions that exists says, as text."""
    for name in names:
        if hasattr(handle, name):
            function = getattr(handle, name)
            function.restype = ctypes.c_char_p
            return (function() or b"").decode("ascii", "replace").strip() or None
    return None


def _number_of(handle, *names) -> "int | None":
    return next((int(getattr(handle, name)()) for name in names if hasattr(handle, name)), None)


def _variants(name: str) -> "tuple[str, ...]":
    """The names of an OpenBLAS function in Debian's build and in NumPy's wheels."""
    return name, "scipy_%s64_" % name, "scipy_%s" % name, "%s64_" % name


def _about_openblas(handle, _path) -> dict:
    version = re.search(r"OpenBLAS (\S+)", _text_of(handle, *_variants("openblas_get_config")) or "")
    return {
        "version": version.group(1) if version else None,
        "kernel": _text_of(handle, *_variants("openblas_get_corename")),
        "threads_told": _number_of(handle, *_variants("openblas_get_num_threads")),
    }


def _about_blis(_own, path) -> dict:
    # libblas.so.3 hides all but the BLAS; the same code with BLIS's own names stands beside it.
    own = ctypes.CDLL(os.path.join(os.path.dirname(path), "libblis.so.3"))
    own.bli_arch_string.restype = ctypes.c_char_p
    kernel = own.bli_arch_string(own.bli_arch_query_id()).decode("ascii", "replace")
    own.bli_thread_get_num_threads.restype = ctypes.c_long
    told = int(own.bli_thread_get_num_threads())
    return {"version": _text_of(own, "bli_info_get_version_str"), "kernel": kernel, "threads_told": max(told, 1)}


def _about_mkl(handle, _path) -> dict:
    buffer = ctypes.create_string_buffer(256)
    handle.MKL_Get_Version_String(buffer, ctypes.c_int(len(buffer)))
    version = re.search(r"Version (\S+(?: Update \d+)?)", buffer.value.decode("ascii", "replace"))
    kernels = (re.search(r"/libmkl_(def|mc3?|avx\w*)\.so", path) for path in mapped_files(read_maps()))
    return {
        "version": version.group(1) if version else None,
        "kernel": next((match.group(1) for match in kernels if match), None),
        "threads_told": _number_of(handle, "MKL_Get_Max_Threads"),
    }


def _about_atlas(_own, path) -> dict:
    """ATLAS is tuned when it is built: its kernel is what the builder's flags say, which stand in the library."""
    kernel = None
    for core in mapped_files(read_maps()):
        if "/libatlas.so" in core:
            with open(core, "rb") as file:
                found = re.search(rb"-DATL_ARCH_(\w+)", file.read())
            kernel = found.group(1).decode("ascii") if found else None
    return {"version": _version_in(path), "kernel": kernel}


def _about_reference(_own, path) -> dict:
    return {"version": _version_in(path)}


def _version_in(path: str) -> "str | None":
    """`3.9.0` of `libblas.so.3.9.0`."""
    found = re.search(r"\.so\.(\d+(?:\.\d+)+)$", os.path.realpath(path))
    return found.group(1) if found else None


ABOUT = {
    "openblas": _about_openblas,
    "blis": _about_blis,
    "mkl": _about_mkl,
    "atlas": _about_atlas,
    "reference": _about_reference,
}
NO_THREADS = "it has no threads to tell of"
WHY_NOT = {
    "openblas": {},
    "blis": {},
    "mkl": {},
    "atlas": {"threads_told": NO_THREADS},
    "reference": {"threads_told": NO_THREADS, "kernel": "plain Fortran, the same on every processor"},
}
