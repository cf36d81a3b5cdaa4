"""Writes docs/RECIPES.md: recipes, their fields, the flags of all commands.

python pipelines/recipes_page.py
"""

import concurrent.futures
import dataclasses
import pathlib
import subprocess
import sys

import _app
from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import doors

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).resolve().parents[1]
flags.DEFINE_string("docs_dir", str(ROOT / "docs"), "Where RECIPES.md goes.")

TEXT = """\
# Recipes and flags

Written by `python pipelines/recipes_page.py`; do not edit.

A recipe is a named set of all that decides a training run. `--recipe=NAME`
takes one, and each field is a flag that changes it. In Python:
`keras_resnet.recipes.load(NAME, {{"steps": 1000}})`.

## Recipes

What a recipe has that the defaults of the fields below have not.

{recipes}

## Fields

The defaults are the paper's of 2015 for CIFAR-10, but for the mean image.

{fields}
## Commands

Each is `keras-resnet COMMAND`, and in a checkout `python pipelines/COMMAND.py`.

{commands}"""


def text():
    """The whole page."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        helps = list(pool.map(_help, doors.COMMANDS))
    return TEXT.format(
        recipes=_recipes(), fields=_fields(), commands="\n".join(helps)
    )


def _recipes():
    lines = ["| recipe | fields |", "|---|---|"]
    for name, recipe in recipes.RECIPES.items():
        changed = ", ".join(
            f"`{field}={_shown(value)}`"
            for field, value in recipe.changed.items()
        )
        lines.append(f"| `{name}` | {changed} |")
    return "\n".join(lines)


def _fields():
    parts = []
    for field in dataclasses.fields(recipes.Recipe):
        if field.name in recipes.GROUPS:
            parts.append(f"### {recipes.GROUPS[field.name]}\n")
            parts.append("| flag | default | what it is |\n|---|---|---|")
        words = " ".join(field.metadata["help"].split()).replace("|", "\\|")
        words = words.partition("; repeat this")[0]
        value = _shown(field.default)
        parts.append(
            f"| `--{field.name}` | {value and f'`{value}`'} | {words} |"
        )
    return "\n".join(parts).replace("|\n###", "|\n\n###") + "\n"


def _shown(value):
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _help(command):
    """What --help says, without the fields of recipes."""
    done = subprocess.run(
        [sys.executable, "-m", "keras_resnet", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    words = done.stdout.partition("\nNetwork and data")[0].strip()
    words = words.replace("python -m keras_resnet", "keras-resnet")
    return f"### {command}\n\n```\n{words}\n```\n"


def main(args):
    _app.no_arguments(args)
    path = pathlib.Path(FLAGS.docs_dir) / "RECIPES.md"
    path.write_text(text(), encoding="utf-8")
    print(f"{path}: {len(recipes.RECIPES)} recipes")


if __name__ == "__main__":
    _app.run(main)
