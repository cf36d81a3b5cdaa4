"""Classifies image files with a model of any format.

python pipelines/predict.py --model=exported/model.tflite photo.jpg
python pipelines/predict.py --model=exported/model.onnx exported/samples
"""

import pathlib
import statistics
import time

import _app
import _images
import numpy as np
from absl import flags

from keras_resnet.export import runtime
from keras_resnet.export.tflite_metadata import find_card
from keras_resnet.labels import check_card
from keras_resnet.labels import top_classes

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    ".keras, .tflite or .onnx file or SavedModel directory, beside its "
    "labels.txt and card.json; our .tflite files have both inside.",
)
flags.DEFINE_integer("top", 5, "Classes to print for an image.", lower_bound=1)
flags.mark_flag_as_required("model")


def main(args):
    files = _images.files(args)
    path = pathlib.Path(FLAGS.model)
    predictor = runtime.load(path)
    card = find_card(path)
    check_card(
        card,
        path,
        num_classes=predictor.num_classes,
        image_size=predictor.image_size,
    )
    images = [
        _images.read_whole(file)
        if predictor.resizes
        else _images.read(file, card)
        for file in files
    ]
    times = []
    for file, image in zip(files, images, strict=True):
        start = time.perf_counter()
        probabilities = predictor.predict(image[np.newaxis])
        times.append(1000 * (time.perf_counter() - start))
        print(f"{file}  ({times[-1]:.1f} ms)")
        top = top_classes(probabilities, card.class_names, FLAGS.top)
        for name, probability in top[0]:
            print(f"  {probability:7.2%}  {name}")
    _print_times(predictor.format, times)


def _print_times(format, times):
    rest = times[1:]
    then = f", then {statistics.median(rest):.1f} ms an image" if rest else ""
    print(
        f"\n{len(times)} images with {format}: first call {times[0]:.1f} ms"
        f"{then}."
    )


if __name__ == "__main__":
    _app.run(main)
