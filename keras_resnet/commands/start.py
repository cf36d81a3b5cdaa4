"""How commands on TensorFlow start."""

import os
import sys
import tempfile

from keras_resnet import progress


def start_tensorflow(command="", log=False):
    """Imports TensorFlow without the lines it always prints on the way.

    They tell of missing CUDA drivers on every machine without a GPU. If the
    import fails, they are printed after all.

    Args:
        command: what a user typed, for the line that announces the wait.
        log: whether that line goes to a pipe or a log too.
    """
    if command and "tensorflow" not in sys.modules:
        progress.say(f"{command}: starting TensorFlow ...", log=log)
    # TensorFlow's notes would hide our own output; its errors stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with tempfile.TemporaryFile() as lines:
        stderr = os.dup(2)
        os.dup2(lines.fileno(), 2)
        try:
            _start_keras()
            import tensorflow as tf

            tf.config.list_physical_devices()
        except BaseException:
            lines.seek(0)
            os.write(stderr, lines.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def _start_keras():
    """Imports Keras on the backend that keras.json or KERAS_BACKEND names."""
    try:
        import keras  # noqa: F401
    except (ImportError, ValueError) as error:
        print(
            f"ERROR: Keras does not start: {error}. These commands need it on "
            "TensorFlow: set KERAS_BACKEND=tensorflow. Received: "
            f"KERAS_BACKEND={os.environ.get('KERAS_BACKEND')!r}.",
            file=sys.stderr,
        )
        sys.exit(2)
