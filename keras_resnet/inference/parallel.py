"""An artifact of any format on all cores.

Shapes: B batch, S side of the square images, K classes.
"""

import concurrent.futures
import os

import numpy as np

from keras_resnet.errors import require
from keras_resnet.inference import runtime
from keras_resnet.labels.answers import check_card


class Network:
    """An artifact as a function of any number of images.

    LiteRT takes one image at a time, on one thread, so its file is opened once
    for each thread. The other runtimes use all cores themselves.

    Args:
        path: of the artifact.
        card: `keras_resnet.labels.cards.Card` of it.
        threads: int, or None for one per core.

    Raises:
        keras_resnet.UsageError: if it cannot be read, or the card is of
            another model.
    """

    def __init__(self, path, card, *, threads=None):
        first = runtime.load_predictor(path)
        require(
            not first.resizes,
            f"{str(path)!r} takes whole images. Tables are made by networks "
            "that take evaluation views: export it without --resize.",
        )
        check_card(
            card,
            path,
            num_classes=first.num_classes,
            image_size=first.image_size,
        )
        number = threads or os.cpu_count() or 1
        number = number if first.format == "tflite" else 1
        more = (runtime.load_predictor(path) for _ in range(number - 1))
        self._predictors = [first, *more]
        self._threads = concurrent.futures.ThreadPoolExecutor(number)
        self._nothing = np.zeros((0, first.num_classes), np.float32)

    def predict(self, images):
        """float32 (B, K) of uint8 (B, S, S, 3) images, RGB, B >= 0."""
        if not len(images):
            return self._nothing
        number = min(len(images), len(self._predictors))
        shares = np.array_split(images, number)
        found = self._threads.map(
            lambda predictor, share: predictor.predict(share),
            self._predictors,
            shares,
        )
        return np.concatenate(list(found))
