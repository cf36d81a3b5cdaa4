"""Random access to the records of TFRecord files.

A record is its length (8 bytes, little-endian), the masked CRC-32C of these
bytes, the data, and the masked CRC-32C of the data. `find` reads the headers
alone and keeps an index of where each record starts in memory: 24 bytes a
record. The lengths are checked then, the data when they are read.
"""

import concurrent.futures
import dataclasses
import os

import numpy as np
import tensorflow as tf

from keras_resnet import files as files_lib
from keras_resnet.data.stores import files
from keras_resnet.errors import UsageError
from keras_resnet.errors import require

_HEADER = np.dtype([("length", "<u8"), ("crc", "<u4")])
_FRAME = _HEADER.itemsize + 4  # bytes of a record besides its data
_THREADS = 16  # files that are indexed at the same time
_AT_ONCE = 2**16  # headers whose checksums are compared together

# A record holds an image file and a few words: a greater length is wrong.
MAX_BYTES = files.MAX_BYTES + 2**20


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """Where N records lie.

    Attributes:
        paths: of the files.
        files: int32 (N,), ascending: which of `paths`.
        numbers: int32 (N,), the record's place in its file, from 0.
        offsets: int64 (N,), where it starts in the file, bytes.
        sizes: int64 (N,), its bytes with its frame.
    """

    paths: tuple[str, ...]
    files: np.ndarray
    numbers: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray

    def describe(self, index):
        """What to call a record in a message, and in graphs (`reading`)."""
        path = self.paths[self.files[index]]
        return f"record {self.numbers[index]} of {path}"


def find(pieces):
    """The `Records` of some files.

    Only the headers of a local file are read; a remote one is read whole once,
    in parts of half a megabyte, because `tf.io.gfile` reads no less.

    Args:
        pieces: list of (path, skip, take): the first `skip` records are left
            out and `take` of the others kept, or all if `take` is None.

    Raises:
        keras_resnet.UsageError: if a file cannot be read, is cut off, is not
            an uncompressed TFRecord file, or has too few records.
    """
    paths = [path for path, _, _ in pieces]
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        sizes = list(pool.map(_sizes, paths))
    kept = []
    for file, (path, skip, take) in enumerate(pieces):
        number = np.arange(len(sizes[file]), dtype=np.int32)
        offset = np.cumsum(sizes[file]) - sizes[file]
        stop = len(number) if take is None else skip + take
        require(
            stop <= len(number),
            f"{path} has {len(number)} records where its description says at "
            f"least {stop}. Copy or prepare it again.",
        )
        part = slice(skip, stop)
        number, offset = number[part], offset[part]
        kept.append((np.full_like(number, file), number, offset))
        sizes[file] = sizes[file][part]
    files, numbers, offsets = (
        np.concatenate(column) for column in zip(*kept, strict=True)
    )
    return Records(
        paths=tuple(paths),
        files=files,
        numbers=numbers,
        offsets=offsets,
        sizes=np.concatenate(sizes),
    )


def _sizes(path):
    """Bytes of each record of a file with its frame: int64 (records,)."""
    try:
        headers, end, size = _headers(path)
    except (OSError, tf.errors.OpError) as error:
        raise UsageError(f"Cannot read {path}: {error}.") from error
    require(
        end == size,
        f"{path} is cut off: it has {size:,} bytes and its last record, "
        f"{max(len(headers) - 1, 0)}, ends at {end:,}. Copy or write it "
        "again.",
    )
    return headers["length"].astype(np.int64) + _FRAME


def _headers(path):
    """(headers, where the last record ends, bytes of the file)."""
    parts, headers, first, end = [], bytearray(), 0, 0
    file, size = _open(path)
    with file:
        while end < size:
            file.seek(end)
            header = file.read(_HEADER.itemsize)
            if len(header) < _HEADER.itemsize:
                end += _FRAME  # cut off within the header
                break
            headers += header
            end += int.from_bytes(header[:8], "little") + _FRAME
            if len(headers) == _AT_ONCE * _HEADER.itemsize:
                parts.append(_checked(headers, first, path))
                headers, first = bytearray(), first + _AT_ONCE
    return np.concatenate([*parts, _checked(headers, first, path)]), end, size


def _checked(headers, first, path):
    """The headers of records `first`, ..., after a check of their lengths."""
    found = np.frombuffer(bytes(headers), _HEADER)
    wrong = np.flatnonzero(masked_crc(found["length"]) != found["crc"])
    require(
        not len(wrong),
        f"The length of record {first + wrong[0] if len(wrong) else 0} of "
        f"{path} is damaged, or this is not an uncompressed TFRecord file. "
        "Copy or write it again.",
    )
    large = np.flatnonzero(found["length"] > MAX_BYTES)
    for place in large[:1]:
        raise UsageError(
            f"Record {first + place} of {path} claims "
            f"{found['length'][place]:,} bytes, more than the limit of "
            f"{MAX_BYTES:,}: it holds no image that is read."
        )
    return found


def _open(path):
    """(file, its size in bytes); a local file is read without read-ahead."""
    if "://" in path:
        size = tf.io.gfile.stat(path).length
        return tf.io.gfile.GFile(path, "rb"), size
    file = files_lib.open_file(path, buffering=0)
    size = os.fstat(file.fileno()).st_size
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
    return file, size


def _crc_table():
    # CRC-32C (Castagnoli): RFC 3720, appendix B.4; reflected polynomial.
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ (np.uint32(0x82F63B78) * (table & 1))
    return table


def masked_crc(lengths):
    """The masked CRC-32C of unsigned 8-byte integers, little-endian.

    Args:
        lengths: uint64 (N,).

    Returns:
        uint32 (N,): rotated right by 15 bits, plus 0xa282ead8, as in
        TensorFlow's record format.
    """
    table, crc = _crc_table(), np.full(len(lengths), 0xFFFFFFFF, np.uint32)
    octets = np.ascontiguousarray(lengths, "<u8").view(np.uint8).reshape(-1, 8)
    for octet in octets.T:
        crc = table[(crc ^ octet) & 0xFF] ^ (crc >> np.uint32(8))
    crc = ~crc
    rotated = (crc >> np.uint32(15)) | (crc << np.uint32(17))
    return rotated + np.uint32(0xA282EAD8)
