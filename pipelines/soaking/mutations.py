"""Damage that files suffer, and what somebody would do to them on purpose."""

import copy
import json
import struct

# Values that a size or a count may be changed to.
_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**32 - 1)
_FORMATS = ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")

# Values of every type of JSON and of Python's, wrong in most places.
VALUES = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, -(2**63), 10**30,
    0.0, -1.5, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"),
    "", "x", "0", "-1", "nan", "../../etc/passwd", "a\nb", "\0", "\udce9",
    "\u2028", "x" * 5000, [], [0], [1, 2, 3], [None], [[]], {}, {"x": 1},
)  # fmt: skip

# Each function takes bytes, at least one, and a `random.Random`, and gives
# other bytes.


def flip_bits(data, rng):
    """Flips bits anywhere, or in the first bytes, where headers are."""
    data = bytearray(data)
    reach = min(len(data), rng.choice((16, 64, 512, *[len(data)] * 6)))
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        data[rng.randrange(reach)] ^= 1 << rng.randrange(8)
    return bytes(data)


def truncate(data, rng):
    near = rng.random() < 0.3
    end = len(data) - rng.randrange(1, 33) if near else rng.randrange(len(data))
    return data[: max(end, 0)]


def append(data, rng):
    return data + rng.randbytes(rng.choice((1, 16, 1000)))


def change_range(data, rng):
    """Sets, zeroes, drops, repeats a range, or inserts before it."""
    start = rng.randrange(len(data))
    end = min(start + rng.choice((1, 4, 16, 100, 1000)), len(data))
    part = data[start:end]
    part = rng.choice(
        (
            rng.randbytes(len(part)),
            bytes(len(part)),
            b"",
            part + part,
            rng.randbytes(rng.choice((1, 16, 300))) + part,
        )
    )
    return data[:start] + part + data[end:]


def swap(data, rng):
    """Swaps two ranges of the same size."""
    a, b = sorted(rng.randrange(len(data)) for _ in range(2))
    size = min(rng.choice((1, 4, 16, 256)), len(data) - b, b - a)
    one, two = data[a : a + size], data[b : b + size]
    return data[:a] + two + data[a + size : b] + one + data[b + size :]


def oversize(data, rng):
    """Changes a number in the file, mostly to a large one."""
    code = rng.choice(_FORMATS)
    size = struct.calcsize(code)
    reach = min(len(data), rng.choice((64, 1024, len(data))))
    at = rng.randrange(max(reach - size, 0) + 1)
    number = rng.choice(_NUMBERS) & (256**size - 1)
    return data[:at] + struct.pack(code, number) + data[at + size :]


def replace(data, rng):
    """Puts something else altogether in their place."""
    del data
    page = b"<html>404 Not Found</html>"
    return rng.choice((b"", b"\0" * 100, page, rng.randbytes(300)))


# function -> share.
BYTES = {
    flip_bits: 3,
    truncate: 1,
    append: 1,
    change_range: 5,
    swap: 1,
    oversize: 2,
    replace: 1,
}


def mutated(data, rng):
    """(other bytes, what was done); never the bytes that were given."""
    other = data
    while other == data:
        count = 2 if rng.random() < 0.1 else 1  # now and then two in a row
        changes = rng.choices(list(BYTES), BYTES.values(), k=count)
        for change in changes:
            other = change(other or b"\0", rng)
    return other, " and ".join(change.__name__ for change in changes)


def mutated_json(data, rng):
    """(other bytes, what was done) of a JSON text, which mostly stays JSON."""
    if rng.random() < 0.2:
        return mutated(data, rng)
    while True:
        value = json.loads(data)
        how = _change(value, rng)
        other = json.dumps(value, indent=rng.choice((None, 2)))
        if json.loads(other) != json.loads(data):
            return other.encode(), how


def _change(value, rng):
    """Changes something within a dict or list."""
    places = list(_places(value))
    (holder, key), (other, place) = rng.choice(places), rng.choice(places)
    held = holder[key]
    how = rng.choice(("delete", "add", "value", "value", "swap", "number"))
    if how == "delete":
        del holder[key]
    elif how == "add" and isinstance(holder, dict):
        holder[rng.choice(("x", "", "format", f"{key}2"))] = held
    elif how == "swap":
        one, two = copy.deepcopy((held, other[place]))
        other[place], holder[key] = one, two
    elif how == "number" and isinstance(held, int | float):
        holder[key] = held * rng.choice((-1, 2, 1000)) + rng.choice((0, 1))
    else:
        holder[key] = rng.choice(VALUES)
    return f"{how} of {key!r}"


def _places(value):
    """(dict or list, key) of all that a value holds."""
    keys = range(len(value)) if isinstance(value, list) else value
    for key in keys if isinstance(value, dict | list) else ():
        yield value, key
        yield from _places(value[key])
