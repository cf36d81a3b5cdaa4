"""Where commands begin, whatever a user types to start them."""

import importlib
import os
import re
import sys

import keras_resnet
from keras_resnet.commands import start
from keras_resnet.errors import nearest

# {command: what it does}.
COMMANDS = {
    "train": "Train a network by a recipe.",
    "evaluate": "Errors of a model, or of an ensemble, on a data set.",
    "export": "Write SavedModel, TFLite, ONNX and a web page, and verify them.",
    "verify": "Compare exported files with the model that they came from.",
    "predict": "Classify images with a model of any format.",
    "explain": "Draw where in an image a network sees a class.",
    "push": "Write a model into a repository of the Hugging Face hub.",
    "data": "Look at a data set, check every pixel, or prepare one.",
    "launch": "Start the workers of a run on this machine.",
    "serve_web": "Show an exported page in a browser of this machine.",
}

_WITHOUT_TENSORFLOW = {"launch", "serve_web"}

_USAGE = (
    "keras-resnet COMMAND --flags=values\n\n{commands}\n\n"
    "keras-resnet COMMAND --help tells more. To begin with your own pictures,\n"
    "in a folder for each class: keras-resnet train FOLDER"
)


def main(argv=None):
    """Runs the command that the words after the program's name say.

    Returns:
        int, the exit status: that of the command; 0 for --help and --version;
        2 where no command is named.
    """
    argv = list(sys.argv if argv is None else argv)
    word = argv[1] if len(argv) > 1 else ""
    if word in COMMANDS:
        return run(word, argv[1:], door=_door(argv[0]))
    if word == "--version":
        print(keras_resnet.__version__)
        return 0
    if word in ("--help", "-h", "-help", "help"):
        print(_usage())
        return 0
    print(f"ERROR: {_unknown(word)}", file=sys.stderr)
    return 2


def run(command, argv, door):
    """Runs one command.

    Args:
        command: key of `COMMANDS`.
        argv: its own name and the words after it.
        door: what a user types for a command, "keras-resnet {}".
    """
    from keras_resnet.commands import running

    module = importlib.import_module(f"keras_resnet.commands.{command}")
    needs = getattr(
        module,
        "needs_tensorflow",
        lambda words: command not in _WITHOUT_TENSORFLOW,
    )
    check = getattr(module, "check", lambda words: None)

    def begin(words):
        check(words)
        if needs(words):
            start.start_tensorflow(
                door.format(command),
                # Only the chief of several workers prints; it is not known yet.
                log=command == "train" and "TF_CONFIG" not in os.environ,
            )

    return running.run(module.main, argv=argv, door=door, begin=begin)


def spell(text, door):
    """A text with every command in it as the user of `door` types it."""
    known = "|".join(COMMANDS)
    return re.sub(
        rf"keras-resnet ({known})\b", lambda found: door.format(found[1]), text
    )


def _door(program):
    module = program.endswith("__main__.py")
    return "python -m keras_resnet {}" if module else "keras-resnet {}"


def _usage():
    width = max(map(len, COMMANDS))
    lines = (f"  {name:<{width}}  {what}" for name, what in COMMANDS.items())
    return _USAGE.format(commands="\n".join(lines))


def _unknown(word):
    near = nearest(word, COMMANDS) if word else None
    hint = f"Did you mean {near!r}? " if near else ""
    return (
        f"Name a command: {', '.join(COMMANDS)}. {hint}"
        f"Received: {word or 'none'}."
    )
