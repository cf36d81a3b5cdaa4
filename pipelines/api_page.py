"""Writes docs/API.md: every public name, its arguments, what it is.

python pipelines/api_page.py
"""

import inspect
import pathlib

import _app
from absl import flags

import keras_resnet

FLAGS = flags.FLAGS
DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
flags.DEFINE_string("docs_dir", str(DOCS), "Where API.md goes.")

TEXT = """\
# What is public

Written by `python pipelines/api_page.py`; do not edit. Public are these names
of `keras_resnet`, the commands with their flags, and the files that they write.
The rest may change between two versions.
"""

# Module -> title. Others have the title of their room.
TITLES = {
    "keras_resnet.constructors": "Published networks",
    "keras_resnet.errors": "Errors",
    "keras_resnet.models": "Networks",
}
ROOMS = {
    "networks": "Networks",
    "weights": "Weights",
    "labels": "Answers",
    "recipes": "Recipes",
    "data": "Data",
    "inference": "Inference",
    "evaluation": "Evaluation",
    "training": "Training",
    "export": "Export",
}


def text():
    """The whole page."""
    sections = {}
    for name in keras_resnet.__all__:
        value = inspect.unwrap(getattr(keras_resnet, name))
        sections.setdefault(_title(value), []).append(_entry(name, value))
    order = dict.fromkeys((*TITLES.values(), *ROOMS.values()))
    parts = [
        f"## {title}\n\n" + "\n".join(sorted(sections[title]))
        for title in order
        if title in sections
    ]
    return "\n".join([TEXT, *(f"{part}\n" for part in parts)])


def _title(value):
    if isinstance(value, dict):  # VARIANTS
        return ROOMS["networks"]
    module = getattr(value, "__module__", None) or value.__name__
    return TITLES.get(module) or ROOMS[module.split(".")[1]]


def _entry(name, value):
    line = (inspect.getdoc(value) or "").splitlines()[0]
    if isinstance(value, dict):
        line = "The networks of both papers: {name: row}."
    if inspect.isfunction(value) and "constructors" not in value.__module__:
        return f"- `{name}({_arguments(value)})`: {line}"
    return f"- `{name}`: {line}"


def _arguments(function):
    """Names alone; an editor shows types and defaults."""
    words, marked = [], False
    for argument in inspect.signature(function).parameters.values():
        if argument.kind is argument.KEYWORD_ONLY and not marked:
            words.append("*")
            marked = True
        stars = "**" if argument.kind is argument.VAR_KEYWORD else ""
        words.append(stars + argument.name)
    return ", ".join(words)


def main(args):
    _app.no_arguments(args)
    path = pathlib.Path(FLAGS.docs_dir) / "API.md"
    path.write_text(text(), encoding="utf-8")
    print(f"{path}: {len(keras_resnet.__all__)} names")


if __name__ == "__main__":
    _app.run(main)
