"""Stochastic depth: training skips some branches, drawn for each example.

Unit l of L loses its branch with probability `rate * l / L` (Huang et al. 2016,
arXiv 1603.09382, eq. 4, which writes 1 - rate for the last unit). Each example
has its own draw. A kept branch is divided by the probability of keeping it, as
in torchvision and timm, so that inference needs no factor.

A training step passes a seed for each example (`seeded`): the draws are then
the same for any number of devices and micro-batches, on any backend. Imports
keras only.
"""

import contextlib
import contextvars
import zlib

from keras import ops
from keras import random

_OWN, _OFF = "own", "off"
_seeds = contextvars.ContextVar("seeds", default=_OWN)


def rates(number, last):
    """The probability of each of `number` units, the last one's being `last`.

    Returns:
        list of floats, linear in the depth.
    """
    return [last * unit / number for unit in range(1, number + 1)]


def seeded(batch):
    """Context in which draws come from the "seed", (B, 2), of a batch.

    Without seeds each unit draws from its own generator, like Keras' dropout.

    Args:
        batch: dict, as `training.step` has it.
    """
    return _drawing(batch.get("seed", _OWN))


def off():
    """Context in which no branch is skipped."""
    return _drawing(_OFF)


@contextlib.contextmanager
def _drawing(seeds):
    token = _seeds.set(seeds)
    try:
        yield
    finally:
        _seeds.reset(token)


def generator(rate, name):
    """The generator of a unit for calls without seeds; None for rate 0."""
    if not rate:
        return None
    return random.SeedGenerator(name=f"{name}_depth")


def draw(x, rate, name, generator):
    """The factor of a unit's branch in training.

    Args:
        x: (B, H, W, C).
        rate: float, the probability of 0.
        name: str, of the unit: each name has its own draws.
        generator: `keras.random.SeedGenerator`, for a call without seeds.

    Returns:
        float32 (B, 1, 1, 1), 0 or 1 / (1 - rate); None for 1 throughout.
    """
    seeds = _seeds.get()
    if seeds is _OFF or not rate:
        return None
    if seeds is _OWN:
        numbers = random.uniform((ops.shape(x)[0],), seed=generator)
    else:
        numbers = uniform(seeds, zlib.crc32(name.encode()))
    kept = ops.cast(numbers >= rate, "float32") / (1 - rate)
    return ops.reshape(kept, (-1, 1, 1, 1))


def uniform(seeds, stream):
    """float32 (B,) between 0 and 1, the same on every backend.

    Args:
        seeds: ints (B, 2).
        stream: int >= 0; each one gives other numbers.
    """
    seeds = ops.cast(seeds, "uint32")
    bits = _mix(_mix(seeds[:, 0]) + seeds[:, 1])
    bits = _mix(bits + ops.convert_to_tensor(stream, "uint32"))
    numbers = ops.cast(_shifted(bits, 9), "float32")
    return (numbers + 0.5) * 2.0**-23


def _mix(bits):
    """The last steps of MurmurHash3 (Appleby 2011), a bijection of uint32."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = ops.bitwise_xor(bits, _shifted(bits, shift))
        bits = bits * ops.convert_to_tensor(factor, "uint32")
    return ops.bitwise_xor(bits, _shifted(bits, 16))


def _shifted(bits, number):
    return ops.right_shift(bits, ops.convert_to_tensor(number, "uint32"))
