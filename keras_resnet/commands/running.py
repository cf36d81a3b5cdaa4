"""How a command runs, and how it tells a user what is wrong. No TensorFlow."""

import os
import sys

from absl import app
from absl import logging

from keras_resnet import files
from keras_resnet.commands import doors
from keras_resnet.commands import flags
from keras_resnet.errors import UsageError
from keras_resnet.errors import printable_lines
from keras_resnet.inference import extensions


def run(main, argv=None, door="python pipelines/{}.py", begin=None):
    """Runs `main(args)`: one line instead of a stack trace for a user's error.

    `args` are the words of the command line that are not flags. The exit
    status is what `main` returns, 2 after a `UsageError` or a flag that
    cannot be read, 130 after Ctrl-C.

    Args:
        main: of a command's module, whose docstring --help shows.
        argv: the command line. Default: that of the process.
        door: what a user types for a command, "keras-resnet {}".
        begin: takes the same words as `main`; called once the flags are read.
    """

    def refuse(error):
        message = printable_lines(doors.spell(str(error), door))
        print(f"ERROR: {message}", file=sys.stderr)
        sys.exit(2)

    def guarded(words):
        logging.set_verbosity(logging.WARNING)
        handler = logging.get_absl_handler().python_handler
        handler.addFilter(_make_printable)
        try:
            extensions.load(flags.FLAGS["import"].value)
            sys.exit(main(words[1:]) or 0)
        except UsageError as error:
            refuse(error)
        except Exception as error:
            why = files.no_room(error)
            if why is None:
                raise
            print(f"ERROR: Cannot write: {why}. Make room.", file=sys.stderr)
            sys.exit(2)

    text = doors.spell(sys.modules[main.__module__].__doc__ or "", door)

    def parse(argv):
        words = flags.parse(argv, text)
        if begin:
            begin(words[1:])
        return words

    try:
        app.run(guarded, argv=argv, flags_parser=parse)
    except UsageError as error:  # of `begin`
        refuse(error)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # its reader has gone, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _make_printable(record):
    """A filter that makes log lines printable; they name files. Passes all."""
    record.msg, record.args = printable_lines(record.getMessage()), ()
    return True


def no_arguments(args):
    """Refuses words that are not flags: `--workdir runs` is fine, `runs` not.

    Raises:
        UsageError: if there are any.
    """
    if args:
        raise UsageError(
            f"This command takes flags only, --name=value. Received: "
            f"{' '.join(args)!r}."
        )


def integers(name, words):
    """A tuple of ints from the words of a list flag."""
    try:
        return tuple(int(word) for word in words)
    except ValueError as error:
        raise UsageError(
            f"--{name} takes integers separated by commas. "
            f"Received: {','.join(words)!r}."
        ) from error
