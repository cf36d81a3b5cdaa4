"""A pickle read as data: it imports nothing and calls nothing of Python's.

A pickle is a program for a small machine with a stack. This machine has the
operations that build dictionaries, lists, numbers and texts, and the functions
that its caller gives it. Whatever else a file names becomes a `Named`: the name
alone, which is never looked up. Calling it gives a `Named` again, and its
content is dropped.

No operation takes more memory than its own bytes and a few hundred more, so a
limit on their number bounds the memory. Nothing here recurses.
"""

import dataclasses
import pickletools
import re
import sys

from keras_resnet.errors import require

# The largest network here, ResNet-1202, and the state of its optimizer are
# 0.8 million operations.
_MAX_OPERATIONS = 2_000_000
# Names of the standard library that a file may have: classes of plain values.
# Another name would not run either, but shows that the file should run code.
_VALUES = re.compile(
    r"(argparse\.Namespace|collections\.\w+|copyreg\._reconstructor"
    r"|_codecs\.encode|decimal\.Decimal|fractions\.Fraction|functools\.partial"
    r"|datetime\.\w+|enum\.\w+|pathlib(\._local)?\.\w+|re\._compile|typing\.\w+"
    r"|types\.SimpleNamespace|uuid\.UUID|zoneinfo\.ZoneInfo\._unpickle"
    r"|builtins\.(bool|bytes|complex|dict|float|frozenset|getattr|int|list"
    r"|object|range|set|slice|str|tuple|type))"
)
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Named:
    """What a file names and this reader does not build.

    Attributes:
        name: "module.class".
    """

    name: str


def load(stream, functions, persistent):
    """What one pickle describes.

    Args:
        stream: binary file at the beginning of a pickle; left at its end.
        functions: {"module.name": function that makes the value of a call}.
        persistent: function that makes the value of a persistent id.

    Returns:
        dicts, lists, tuples, texts, numbers, `Named` and what the functions
        return. A key that is no text is a `Named` of its type.

    Raises:
        keras_resnet.UsageError: if it names what could run code, or has an
            operation that is not for values.
        Exception: of `stored.DAMAGE`, if it is no pickle.
    """
    machine = _Machine(functions, persistent)
    for count, (operation, argument, _) in enumerate(
        pickletools.genops(stream)
    ):
        require(
            count < _MAX_OPERATIONS,
            f"its pickle has more than {_MAX_OPERATIONS} operations: not a "
            "ResNet. Save the model's state_dict() alone.",
        )
        act = _ACTIONS.get(operation.name)
        require(
            act is not None,
            f"its pickle has the operation {operation.name}, which torch.save "
            "does not write. Save the model's state_dict() alone.",
        )
        act(machine, argument)
    return machine.stack.pop()


class _Machine:
    """The stack of a pickle, and the values that it numbers."""

    def __init__(self, functions, persistent):
        self.functions, self.persistent = functions, persistent
        self.stack, self.outer, self.memo = [], [], {}

    def push(self, value):
        self.stack.append(value)

    def mark(self, _):
        self.outer.append(self.stack)
        self.stack = []

    def marked(self):
        """Takes off and returns all values since the last mark."""
        values, self.stack = self.stack, self.outer.pop()
        return values

    def push_tuple(self, size):
        values = [self.stack.pop() for _ in range(size)]
        self.push(tuple(reversed(values)))

    def put(self, index):
        self.memo[index] = self.stack[-1]

    def get(self, index):
        self.push(self.memo[index])

    def name(self, module, name):
        full = f"{_PYTHON_2.get(module, module)}.{name}"
        require(
            full.partition(".")[0] not in sys.stdlib_module_names
            or _VALUES.fullmatch(full),
            f"holds more than tensors: {full[:100]!r}, which could run code. "
            "Nothing of it was run. Do not trust the file.",
        )
        self.push(Named(full))

    def stack_name(self):
        name, module = self.stack.pop(), self.stack.pop()
        require(
            isinstance(module, str) and isinstance(name, str),
            "its pickle names a class by something other than text.",
        )
        self.name(module, name)

    def call(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        name = function.name if isinstance(function, Named) else "a call"
        known = self.functions.get(name)
        if known and isinstance(arguments, tuple):
            self.push(known(*arguments))
        else:
            self.push(Named(name))

    def set_items(self, values):
        target = self.stack[-1]
        if type(target) is dict:
            pairs = zip(values[::2], values[1::2], strict=True)
            target.update((as_key(key), value) for key, value in pairs)

    def append(self, values):
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(values)


def as_key(key):
    """A key of a dictionary: a text, or a `Named` of another type.

    A file can choose the hashes of other values so that a dictionary takes
    hours.
    """
    return key if type(key) is str else Named(type(key).__name__)


def _nothing(machine, argument):
    pass


def _drop(machine, argument):
    machine.stack.pop()


# {operation of pickletools: function of the machine and its argument}.
_ACTIONS = {
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT")
        + ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
        + ("SHORT_BINSTRING", "BINSTRING")
        + ("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        _Machine.push,
    ),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
    # The state of an object; an OrderedDict of PyTorch has its versions there.
    **dict.fromkeys(("BUILD", "POP"), _drop),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_SET": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE1": lambda m, _: m.push_tuple(1),
    "TUPLE2": lambda m, _: m.push_tuple(2),
    "TUPLE3": lambda m, _: m.push_tuple(3),
    "MARK": _Machine.mark,
    "TUPLE": lambda m, _: m.push(tuple(m.marked())),
    "FROZENSET": lambda m, _: m.push(m.marked()),
    "POP_MARK": lambda m, _: m.marked(),
    "SETITEM": lambda m, _: m.set_items([m.stack.pop() for _ in "kv"][::-1]),
    "SETITEMS": lambda m, _: m.set_items(m.marked()),
    "APPEND": lambda m, _: m.append([m.stack.pop()]),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda m, _: m.append(m.marked())),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    "GLOBAL": lambda m, names: m.name(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.stack_name(),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda m, _: m.call()),
    "NEWOBJ_EX": lambda m, _: (m.stack.pop(), m.call()),
    "BINPERSID": lambda m, _: m.push(m.persistent(m.stack.pop())),
}
