"""What MediaPipe's image classifier says of images, in its own process.

python tests/support/mediapipe_reader.py IMAGES.npy MODEL.tflite ...

The images are uint8 (B, S, S, 3). Prints JSON, a line a model: for each image
a list of [index, name, score] of all classes, or MediaPipe's error as a string.
"""

import json
import sys

# MediaPipe imports TensorFlow if it is there, which takes seconds, but does not
# need it.
sys.modules["tensorflow"] = None

import mediapipe  # noqa: E402
import numpy as np  # noqa: E402
from mediapipe.tasks.python import vision  # noqa: E402


def main(images, *models):
    images = np.load(images)
    for model in models:
        try:
            print(json.dumps(classify(model, images)))
        except (RuntimeError, ValueError, OSError) as error:
            print(json.dumps(str(error)))


def classify(model, images):
    results = []
    with vision.ImageClassifier.create_from_model_path(model) as classifier:
        for image in images:
            image = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB,
                data=np.ascontiguousarray(image),
            )
            (head,) = classifier.classify(image).classifications
            results.append(
                [(c.index, c.category_name, c.score) for c in head.categories]
            )
    return results


if __name__ == "__main__":
    main(*sys.argv[1:])
