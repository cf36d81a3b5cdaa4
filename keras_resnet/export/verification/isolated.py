"""What an artifact predicts, in a process of its own.

    python -m keras_resnet.export.verification.isolated \\
        ARTIFACT INPUTS RUNTIME OUTPUT [MODULE ...]

If a runtime crashes, only its own artifact fails. Runtimes cannot disturb each
other's threads or memory. The modules are those that a user has imported
(`inference.extensions`).
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.inference import extensions
from keras_resnet.inference import runtime as runtime_lib

OWN = "own"

# Exit status of a process that has said in one line what is wrong.
_USAGE = 2

# Processes at a time: a start, and some runtimes, use one core only.
_AT_A_TIME = 2

# Images sent alone, then images per call: both must give the same.
_ALONE, _TOGETHER = 3, 3


class Inputs:
    """Real images as every signature takes them.

    Args:
        views: uint8 (N, S, S, 3), what the network sees.
        images: N uint8 (H, W, 3) of any sizes, the same images as stored.
    """

    def __init__(self, views, images):
        self.views, self.images = views, list(images)

    def save(self, path):
        """Writes them as an .npz file."""
        np.savez(path, *self.images, views=self.views)

    @classmethod
    def load(cls, path):
        """What `save` wrote."""
        with np.load(path) as stored:
            count = len(stored.files) - 1
            images = [stored[f"arr_{i}"] for i in range(count)]
            return cls(stored["views"], images)


def predict(path, inputs, *, runtime=OWN):
    """{signature: {output: float32 (N, ...)}} of an artifact, in this process.

    Args:
        path: of the artifact.
        inputs: `Inputs`.
        runtime: key of `runtime.RUNTIMES`.

    Raises:
        keras_resnet.UsageError: if the runtime cannot read it.
    """
    predictor = runtime_lib.RUNTIMES[runtime](path)
    if predictor.resizes:
        # Their sizes differ, so they cannot go by threes.
        images = [predictor(image[np.newaxis]) for image in inputs.images]
        results = {"serving_default": _joined(images)}
    else:
        results = {"serving_default": _in_parts(predictor, inputs.views)}
    if hasattr(predictor, "predict_bytes"):
        files = [_png(image) for image in inputs.images]
        results["serve_bytes"] = _in_parts(predictor.call_bytes, files)
    return results


def _png(image):
    import tensorflow as tf

    return tf.io.encode_png(image).numpy()


def _in_parts(predict, data):
    starts = [*range(_ALONE), *range(_ALONE, len(data), _TOGETHER)]
    ends = [*starts[1:], len(data)]
    parts = [data[i:j] for i, j in zip(starts, ends, strict=True) if i < j]
    return _joined([predict(part) for part in parts])


def _joined(parts):
    return {n: np.concatenate([part[n] for part in parts]) for n in parts[0]}


def predict_isolated(path, inputs, *, runtime=OWN):
    """`predict` in a new process.

    Raises:
        keras_resnet.UsageError: also if the process dies, with its last words.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, found = (pathlib.Path(folder, n) for n in ("in.npz", "out.npz"))
        inputs.save(given)
        done = subprocess.run(
            [
                *(sys.executable, "-m", __name__, path, given, runtime, found),
                *extensions.loaded(),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode == _USAGE and done.stdout:
            raise UsageError(done.stdout.strip())
        require(
            done.returncode == 0,
            f"its process ended with status {done.returncode}: "
            f"{done.stderr.strip()[-500:]}",
        )
        results = {}
        with np.load(found) as stored:
            for key in stored.files:
                signature, _, output = key.partition("/")
                results.setdefault(signature, {})[output] = stored[key]
        return results


# Functions that compute in another process.
_BESIDE = (predict_isolated,)


class Ahead:
    """A `predict` that starts before it is called, beside this process.

    A context manager: at its end it waits for the processes that it started.

    Args:
        predict: starts early only if it is in `_BESIDE`; any other computes in
            this process when it is called.
        inputs: `Inputs`.
    """

    def __init__(self, predict, inputs):
        self._predict, self._inputs = predict, inputs
        self._begun = {}
        self._pool = concurrent.futures.ThreadPoolExecutor(_AT_A_TIME)

    def begin(self, path):
        """Starts to predict with an artifact that is complete."""
        if self._predict in _BESIDE:
            self._begun[path] = self._pool.submit(
                self._predict, path, self._inputs
            )

    def __call__(self, path, inputs, *, runtime=OWN):
        """What an artifact gives; begun early if the inputs are the same."""
        same = inputs is self._inputs and runtime == OWN
        if same and path in self._begun:
            return self._begun[path].result()
        return self._predict(path, inputs, runtime=runtime)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._pool.shutdown(cancel_futures=True)


def main():
    path, given, runtime, found, *modules = sys.argv[1:]
    try:
        extensions.load(modules)
        results = predict(path, Inputs.load(given), runtime=runtime)
    except UsageError as error:
        print(error)
        sys.exit(_USAGE)
    arrays = {
        f"{signature}/{output}": value
        for signature, outputs in results.items()
        for output, value in outputs.items()
    }
    np.savez(found, **arrays)


if __name__ == "__main__":
    main()
