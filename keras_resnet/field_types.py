"""The types of a dataclass' fields, checked: what JSON and users may pass."""

import dataclasses
import math

from keras_resnet.errors import require

# What TensorFlow's integers and floats can hold.
_INT = 2**63
_FLOAT = 3.4028235e38


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, float) or _is_int(value)


def _are_ints(value):
    return isinstance(value, (tuple, list)) and all(map(_is_int, value))


# {annotation: (what a value is, whether it is that)}.
_TYPES = {
    int: ("a whole number", _is_int),
    float: ("a number", _is_number),
    bool: ("True or False", lambda value: isinstance(value, bool)),
    str: ("a text", lambda value: isinstance(value, str)),
    dict: ("an object", lambda value: isinstance(value, dict)),
    float | None: ("a number", lambda v: v is None or _is_number(v)),
    tuple[int, ...]: ("whole numbers, as (350, 500)", _are_ints),
}


def check(instance):
    """Refuses a value of another type than its field's.

    Args:
        instance: of a dataclass whose annotations are keys of `_TYPES`.

    Raises:
        keras_resnet.UsageError: names the field, the type and the value.
    """
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        what, is_one = _TYPES[field.type]
        require(
            is_one(value),
            f"{field.name} must be {what}. Received: {_short(value)} "
            f"({type(value).__name__}).",
        )
        for number in value if isinstance(value, (tuple, list)) else [value]:
            _check_range(field.name, number)


def _check_range(name, value):
    if _is_int(value):
        require(
            abs(value) < _INT,
            f"{name} must be below 2**63. Received: {_short(value)}.",
        )
    elif isinstance(value, float):
        require(
            math.isfinite(value) and abs(value) <= _FLOAT,
            f"{name} must be finite, as float32 too. Received: {value}.",
        )


def _short(value):
    # Python refuses to write out an integer of thousands of digits.
    try:
        text = repr(value)
    except ValueError as error:
        text = str(error)
    return text if len(text) <= 80 else f"{text[:77]}..."
