"""What a source file imports, and which tests reach it.

    python tests/support/sources.py keras_resnet/export keras_resnet/files.py

prints the test files that import something of these paths, directly or through
helpers, and the test files in the folder that mirrors them.
`make test FOR="..."` runs these.
"""

import ast
import functools
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUPPORT = pathlib.Path(__file__).parent


def module_of(path):
    """The dotted name of a file."""
    parts = pathlib.PurePosixPath(path).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports(tree):
    """(module, line, whether it is inside a function) of every import."""

    def visit(node, inside):
        for child in ast.iter_child_nodes(node):
            function = isinstance(
                child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
            )
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield alias.name, child.lineno, inside
            elif isinstance(child, ast.ImportFrom):
                module = child.module or ""
                if child.level:
                    module = "." * child.level + module
                # `from absl import flags` imports absl.flags.
                for alias in child.names:
                    yield f"{module}.{alias.name}", child.lineno, inside
            else:
                yield from visit(child, inside or function)

    return visit(tree, False)


def tests_for(paths):
    """The test files that reach files or folders of the repository.

    Args:
        paths: str, relative to the repository's root.

    Returns:
        list of pathlib.Path, sorted.

    Raises:
        SystemExit: if a path is not there, or no test reaches one.
    """
    found = set()
    for path in paths:
        if not (ROOT / path).exists():
            sys.exit(f"ERROR: There is no {path!r}. Received: FOR={path}.")
        reached = set(_reaching(path))
        if not reached:
            sys.exit(f"ERROR: No test reaches {path}; take a folder of it.")
        found |= reached
    return sorted(found)


def _reaching(path):
    path = pathlib.PurePosixPath(path)
    # keras_resnet/export/folding -> tests/export/folding
    mirror = ROOT.joinpath("tests", *path.parts[1:])
    mirror = mirror if path.parts[1:] else ROOT / path
    for test in ROOT.glob("tests/**/*_test.py"):
        names = _reached(test)
        wanted = module_of(path)
        if (
            test == ROOT / path
            or mirror in test.parents
            or any(f"{name}.".startswith(f"{wanted}.") for name in names)
        ):
            yield test


@functools.cache
def _reached(test):
    """Dotted names that a test imports, directly or through helpers."""
    names = {name for name, _, _ in imports(ast.parse(test.read_text()))}
    for name in sorted(names):
        helper = SUPPORT / f"{name.split('.')[0]}.py"
        if helper.exists() and helper != test:
            names |= _reached(helper)
    return frozenset(names)


if __name__ == "__main__":
    print(*(path.relative_to(ROOT) for path in tests_for(sys.argv[1:])))
