"""Which model a command is for: --model, or a word without a flag."""

from keras_resnet.errors import require
from keras_resnet.inference.opening import path_of


def several(given, words):
    """Paths of the models that a command line names, at least one.

    Args:
        given: of --model, list of str or None.
        words: those of the command line that are no flags. The folder of a
            run stands for the model in it.

    Raises:
        keras_resnet.UsageError: if there is none.
    """
    named = [*(given or ()), *words]
    require(
        named,
        "--model is missing: name a .keras file, or the folder of a run.",
    )
    return [path_of(word) for word in named]


def one(given, words):
    """The only model that a command line names; arguments as `several`."""
    paths = several([given] if given else None, words)
    require(
        len(paths) == 1,
        f"Name one model. Received: {' '.join(map(str, paths))}.",
    )
    return paths[0]


def first(given, words):
    """(path of the model, the words after it).

    Args:
        given: of --model, str or None. If given, no word names the model.
        words: those of the command line that are no flags.

    Raises:
        keras_resnet.UsageError: if no model is named.
    """
    if given is not None:
        return path_of(given), words
    return one(None, words[:1]), words[1:]
