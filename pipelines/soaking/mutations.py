"""Damage that files suffer, and what somebody would do to them on purpose.

Each takes the bytes of a file and a `random.Random`, and gives other bytes.
"""

import copy
import json
import struct

# What a size or a count may be told to be.
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1)
_FORMATS = ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")

# Values of every type of JSON and of Python's, wrong in most places.
VALUES = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, -(2**63), 10**30,
    0.0, -1.5, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"),
    "", "x", "0", "-1", "nan", "../../etc/passwd", "a\nb", "\0", "\udce9",
    "\u2028", "x" * 5000, [], [0], [1, 2, 3], [None], [[]], {}, {"x": 1},
)  # fmt: skip


def flip_bits(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def flip_early_bit(data, rng):
    """In the first bytes, where headers are."""
    data = bytearray(data)
    at = rng.randrange(min(len(data), rng.choice((16, 64, 512))))
    data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def set_bytes(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 2, 3))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def truncate(data, rng):
    near = rng.random() < 0.3
    end = len(data) - rng.randrange(1, 33) if near else rng.randrange(len(data))
    return data[: max(end, 0)]


def zero_range(data, rng):
    start, end = _range(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def drop_range(data, rng):
    start, end = _range(data, rng)
    return data[:start] + data[end:]


def repeat_range(data, rng):
    start, end = _range(data, rng)
    return data[:end] + data[start:end] + data[end:]


def swap_ranges(data, rng):
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    size = min(rng.choice((1, 4, 16, 256)), len(data) - b, b - a)
    one, two = data[a : a + size], data[b : b + size]
    return (
        data[:a] + two + data[a + size : b] + one + data[b + size :]
        if size
        else data[:a] + data[a + 1 :]
    )


def insert(data, rng):
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.randbytes(rng.choice((1, 2, 16, 300))) + data[at:]


def append(data, rng):
    return data + rng.randbytes(rng.choice((1, 16, 1000)))


def oversize(data, rng):
    """A number of the file becomes another, mostly a great one."""
    code = rng.choice(_FORMATS)
    size = struct.calcsize(code)
    reach = min(len(data), rng.choice((64, 1024, len(data))))
    at = rng.randrange(max(reach - size, 0) + 1)
    number = rng.choice(_NUMBERS) & (256**size - 1)
    data = data[:at] + struct.pack(code, number) + data[at + size :]
    return data


def replace(data, rng):
    """Something else altogether."""
    del data
    return rng.choice(
        (b"", b"\0" * 100, b"<html>404 Not Found</html>", rng.randbytes(300))
    )


BYTES = (
    flip_bits, flip_bits, flip_early_bit, set_bytes, truncate, zero_range,
    drop_range, repeat_range, swap_ranges, insert, append, oversize, oversize,
    replace,
)  # fmt: skip


def _range(data, rng):
    start = rng.randrange(len(data))
    return start, min(start + rng.choice((1, 4, 16, 100, 1000)), len(data))


def mutated(data, rng):
    """(other bytes, what was done); never those that were given."""
    while True:
        how = rng.choice(BYTES)
        other = how(data, rng) if data else rng.randbytes(10)
        if rng.random() < 0.1:  # now and then one upon another
            how = rng.choice(BYTES)
            other = how(other or b"\0", rng)
        if other != data:
            return other, how.__name__


def mutated_json(text, rng):
    """(other text, what was done) of a JSON text, which stays JSON mostly."""
    if rng.random() < 0.2:
        data, how = mutated(text.encode(), rng)
        return data.decode("utf-8", "surrogateescape"), how
    while True:
        value = json.loads(text)
        how = _change(value, rng)
        other = json.dumps(value, indent=rng.choice((None, 2)))
        if json.loads(other) != json.loads(text):
            return other, how


def _change(value, rng):
    """Changes something within a dict or list."""
    places = list(_places(value))
    holder, key = rng.choice(places)
    how = rng.choice(("delete", "add", "value", "value", "swap", "number"))
    if how == "delete":
        del holder[key]
    elif how == "add" and isinstance(holder, dict):
        holder[rng.choice(("x", "", "format", str(key) + "2"))] = holder[key]
    elif how == "swap":
        other, place = rng.choice(places)
        given = copy.deepcopy(holder[key])
        try:
            holder[key] = copy.deepcopy(other[place])
            other[place] = given
        except (KeyError, IndexError):  # one was within the other
            pass
    elif how == "number" and isinstance(holder[key], int | float):
        holder[key] = holder[key] * rng.choice((-1, 2, 1000)) + rng.choice(
            (0, 1)
        )
    else:
        holder[key] = rng.choice(VALUES)
    return f"{how} of {key!r}"


def _places(value):
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)
