"""Scalars for TensorBoard, written by TensorFlow."""

import tensorflow as tf

from keras_resnet.training.reporting import forgiving


def _forgiving():
    return forgiving("tensorboard", (OSError, tf.errors.OpError))


class TensorBoard:
    """An event file; a full disk only adds a line to the log.

    Args:
        folder: where the file goes.
    """

    def __init__(self, folder):
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, step, scalars):
        """Writes {name: number} of a step."""
        with _forgiving(), self._writer.as_default(step=step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)

    def flush(self):
        """Writes what waits in memory."""
        with _forgiving():
            self._writer.flush()

    def close(self):
        """Closes the file."""
        with _forgiving():
            self._writer.close()
