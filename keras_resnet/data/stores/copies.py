"""Files of equal bytes, told with as little reading as can be."""

import collections
import concurrent.futures
import functools
import hashlib
import os

import numpy as np

_THREADS = 8


def group(paths, unread=()):
    """Numbers that are equal for files of equal bytes.

    Files of a size of their own are not read, and empty ones are no copies.

    Args:
        paths: N paths of local files.
        unread: indices of those that must not be opened; each is alone.

    Returns:
        int64 (N,).
    """
    unread, by_size = set(unread), collections.defaultdict(list)
    stamps = {i: _stamp(p) for i, p in enumerate(paths) if i not in unread}
    for index, (size, _) in stamps.items():
        if size:
            by_size[size].append(index)
    doubtful = [i for same in by_size.values() if len(same) > 1 for i in same]
    with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
        digests = pool.map(lambda i: _digest(paths[i], stamps[i]), doubtful)
    groups, firsts = np.arange(len(paths), dtype=np.int64), {}
    for index, digest in zip(doubtful, digests, strict=True):
        if digest is not None:
            groups[index] = firsts.setdefault(digest, index)
    return groups


def _stamp(path):
    """(bytes, time of the last change) of a file; of none (0, 0)."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


# A run opens its folder several times, and need not read it as often.
@functools.lru_cache(2**16)
def _digest(path, stamp):
    del stamp  # another one is another file
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
