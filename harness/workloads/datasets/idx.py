"""The idx format of MNIST: a big-endian header (type, dimensions), then the bytes of a uint8 array.

Source: the page of the MNIST database, section "FILE FORMATS" (http://yann.lecun.com/exdb/mnist/).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_UINT8 = 0x08


def read_idx(content: bytes) -> NDArray[np.uint8]:
    """The array in an idx file's uncompressed content.

    Raises:
        ValueError: not idx, not of unsigned bytes, or shorter or longer than its header says.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UINT8:
        raise ValueError(f"no idx file of unsigned bytes: it begins with {content[:4].hex(' ') or 'nothing'}")
    header_bytes = 4 + 4 * content[3]
    if len(content) < header_bytes:
        raise ValueError(f"ends within its header of {header_bytes} bytes")
    shape = struct.unpack(f">{content[3]}I", content[4:header_bytes])
    expected_bytes = header_bytes + math.prod(shape)
    if len(content) != expected_bytes:
        raise ValueError(f"holds {len(content)} bytes where its header, shape {shape}, says {expected_bytes}")
    return np.frombuffer(content, dtype=np.uint8, offset=header_bytes).reshape(shape)


def write_idx(array: NDArray[np.uint8]) -> bytes:
    """An array of unsigned bytes as idx."""
    return bytes([0, 0, _UINT8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def compress(content: bytes) -> bytes:
    """Content as gzip without name and time: the same content gives the same bytes."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def decompress(content: bytes) -> bytes:
    """Content of a gzip file.

    Raises:
        ValueError: cut off, or damaged.
    """
    try:
        return gzip.decompress(content)
    except EOFError:
        raise ValueError("the gzip stream is cut off") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"the gzip stream is damaged: {error}") from None
