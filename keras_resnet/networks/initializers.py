"""He's initialisation, with the same numbers on every Keras backend."""

import collections
import concurrent.futures
import contextlib
import contextvars
import functools
import math
import os
import random

import keras
import numpy as np
from keras import ops

from keras_resnet.networks import execution

_CHUNK = 1 << 18  # numbers that a thread draws at once
_MOST_AHEAD = 32  # chunks


@keras.saving.register_keras_serializable(package="keras_resnet")
class HeNormal(keras.initializers.Initializer):
    """N(0, sqrt(2 / (k * k * filters))), He 2015b eq. 14, not truncated.

    Fan-out and not truncated, as in resnet-1k-layers, torchvision, timm. It is
    `keras.initializers.VarianceScaling(2, "fan_out", "untruncated_normal")`,
    which takes half of the time of building a large network.

    Args:
        seed: int >= 0, for the same values at each call. Default: the next
            values of `drawing_ahead`; outside it, a new seed at each call from
            Python's generator, which `keras.utils.set_random_seed` seeds.
    """

    def __init__(self, seed=None):
        self.seed = seed

    def __call__(self, shape, dtype=None):
        """Values of a kernel (height, width, channels, filters)."""
        count = math.prod(shape)
        if self.seed is not None:
            numbers = Normals(self.seed, count)
        else:
            numbers = _ahead.get() or Normals(random.getrandbits(64), count)
        values = execution.empty(count)
        scale = math.sqrt(2 / (math.prod(shape[:-2]) * shape[-1]))
        numbers.read(values, scale)
        values = execution.tensor(values.reshape(shape))
        return ops.convert_to_tensor(values, dtype=dtype)

    def get_config(self):
        return {"seed": self.seed}


_ahead = contextvars.ContextVar("ahead", default=None)


@contextlib.contextmanager
def drawing_ahead():
    """Context in which threads draw kernel values while layers are made."""
    numbers = Normals(random.getrandbits(64))
    token = _ahead.set(numbers)
    try:
        yield
    finally:
        _ahead.reset(token)
        numbers.close()


class Normals:
    """A sequence of N(0, 1) numbers, drawn by threads before they are read.

    They are the same for any number of threads. As many are drawn ahead as
    have been read, so that a small network does not wait for numbers that only
    a large one needs.

    Args:
        seed: int >= 0.
        count: how many are read at most. Default: any number.
    """

    def __init__(self, seed, count=math.inf):
        self._seed = seed
        self._left = count  # to be drawn
        self._started = 0
        self._chunks = collections.deque()
        self._chunk = self._rest = np.empty(0, np.float32)

    def read(self, out, scale):
        """Fills float32 `out` with the next numbers, multiplied by `scale`."""
        while len(out):
            if not len(self._rest):
                self._chunk = self._rest = self._next()
            count = min(len(out), len(self._rest))
            np.multiply(self._rest[:count], np.float32(scale), out=out[:count])
            out, self._rest = out[count:], self._rest[count:]

    def close(self):
        for chunk in self._chunks:
            chunk.cancel()

    def _next(self):
        # Reuse the memory of the last chunk: getting new memory takes as long
        # as drawing the numbers in it.
        memory = self._chunk
        ahead = min(1 + self._started, _MOST_AHEAD)
        while len(self._chunks) < ahead and self._left:
            size = min(_CHUNK, self._left)
            if len(memory) < size:
                memory = np.empty(size, np.float32)
            task = (_draw, self._seed, self._started, memory[:size])
            self._chunks.append(_threads().submit(*task))
            self._started += 1
            self._left -= size
            memory = ()
        return self._chunks.popleft().result()


def _draw(seed, chunk, memory):
    bits = np.random.SFC64(np.random.SeedSequence((seed, chunk)))
    numbers = np.random.Generator(bits)
    return numbers.standard_normal(dtype=np.float32, out=memory)


@functools.cache
def _threads():
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())
