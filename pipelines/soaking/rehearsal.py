"""AutoGraph's work done once, before the forks, not in each life.

A life spends a third of its time on turning Python functions into graph code,
which is the same each time. A child notes which functions those are; here each
is translated into the cache that AutoGraph keeps by code object, and all later
children have it. Translating runs no operation.
"""

import importlib
import types


def functions(work):
    """Which functions `work()` makes AutoGraph translate; for a child.

    Returns:
        list of JSON values, for `translate`.
    """
    from tensorflow.python.autograph.impl import api

    convert, found = api._convert_actual, []

    def noting(function, context):
        code, options = function.__code__, context.options
        found.append(
            {
                "module": function.__module__,
                "name": code.co_qualname,
                "line": code.co_firstlineno,
                "recursive": options.recursive,
                "user_requested": options.user_requested,
                "internal_convert_user_code": (
                    options.internal_convert_user_code
                ),
                "features": sorted(f.name for f in options.optional_features),
            }
        )
        return convert(function, context)

    api._convert_actual = noting
    work()
    return found


def translate(found):
    """Translates what `functions` noted; returns how many there were."""
    from tensorflow.python.autograph.core import converter
    from tensorflow.python.autograph.impl import api

    count = 0
    for row in found:
        module = importlib.import_module(row["module"])
        for code in _codes(module):
            if (code.co_qualname, code.co_firstlineno) == (
                row["name"],
                row["line"],
            ):
                break
        else:
            continue  # made at run time; the life translates it
        options = converter.ConversionOptions(
            recursive=row["recursive"],
            user_requested=row["user_requested"],
            internal_convert_user_code=row["internal_convert_user_code"],
            optional_features=tuple(
                converter.Feature[name] for name in row["features"]
            ),
        )
        api._convert_actual(
            _function(code, module), converter.ProgramContext(options)
        )
        count += 1
    return count


def _function(code, module):
    """A function of that code; the cache takes of it the code alone."""
    cells = tuple(types.CellType(None) for _ in code.co_freevars)
    made = types.FunctionType(code, vars(module), code.co_name, None, cells)
    made.__module__ = module.__name__
    return made


def _codes(module):
    """Code objects of a module's functions, methods and inner functions."""
    found = [
        value
        for value in vars(module).values()
        if getattr(value, "__module__", None) == module.__name__
    ]
    while found:
        value = found.pop()
        if isinstance(value, types.CodeType):
            yield value
            found += [
                c for c in value.co_consts if isinstance(c, types.CodeType)
            ]
        elif isinstance(value, type):
            found += list(vars(value).values())
        else:
            for name in ("__wrapped__", "__func__", "fget", "__code__"):
                inner = getattr(value, name, None)
                if inner is not None:
                    found.append(inner)
