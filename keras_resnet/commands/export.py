"""Exports a trained model as SavedModel, TFLite and ONNX, and verifies each.

    keras-resnet export --model=runs/digits/model.keras \\
        --output_dir=exported --formats=saved_model,tflite,onnx

Formats: saved_model; tflite (8-bit weights, for phones), tflite_float32,
tflite_float16, tflite_int8 (all of 8 bits, uint8 pixels); onnx, onnx_int8; web,
a page that runs the network in a browser.
"""

import dataclasses
import pathlib

from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import image_flags
from keras_resnet.commands import model_files
from keras_resnet.commands import quiet
from keras_resnet.errors import require
from keras_resnet.inference.artifact import agreement
from keras_resnet.labels.cards import load_card

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    ".keras file, beside its labels.txt and card.json. A word without a flag "
    "is it too, and the folder of a run is its model.",
)
flags.DEFINE_string(
    "output_dir",
    None,
    "Where the files go. Default: exported, for the folder of a run in it.",
)
flags.DEFINE_list(
    "formats",
    ["saved_model", "tflite", "onnx"],
    "What to write, some of those above, or of a module of yours.",
)
flags.DEFINE_integer("opset", 17, "Version of ONNX, 13-18.")
flags.DEFINE_string(
    "input_dtype",
    "float32",
    "float32 or uint8: of the pixels that TFLite and ONNX take. tflite_int8 "
    "takes uint8.",
)
flags.DEFINE_bool(
    "dynamic_batch", False, "TFLite for any number of images, not for one."
)
flags.DEFINE_bool(
    "resize",
    False,
    "SavedModel whose serving_default takes whole images, uint8 of any size.",
)
flags.DEFINE_string(
    "litert_js",
    None,
    "For web: folder of an unpacked @litertjs/core. Default: npm fetches it "
    "once, into the cache.",
)
flags.DEFINE_integer(
    "num_calibration_images",
    256,
    "How many images of the training split show the ranges of the activations "
    "to tflite_int8 and onnx_int8.",
)
flags.DEFINE_string(
    "dataset_name",
    None,
    "What the export says it was trained on. Default: the data set, without "
    "the path to it.",
)
flags.DEFINE_bool(
    "force",
    False,
    "Replace an earlier export; files that are not of one are never replaced.",
)
image_flags.define()


def main(args):
    from keras_resnet.export import formats
    from keras_resnet.export import pipeline
    from keras_resnet.export import placing
    from keras_resnet.inference import runtime

    path = model_files.one(FLAGS.model, args)
    output_dir = FLAGS.output_dir or _default_output_dir(args)
    recipes.max_masked(FLAGS.on_bad_image)  # refused before the model loads
    placing.check(output_dir, formats.file_names(FLAGS.formats))
    earlier = [] if FLAGS.force else placing.find_existing(output_dir)
    require(
        not earlier,
        f"There is an export already: {', '.join(map(str, earlier))}. Pass "
        "--force to replace it, or another --output_dir.",
    )
    model = runtime.load_keras(path)
    card = load_card(pathlib.Path(path).parent)
    options = formats.Options(
        opset=FLAGS.opset,
        input_dtype=FLAGS.input_dtype,
        dynamic_batch=FLAGS.dynamic_batch,
        resize=FLAGS.resize,
        litert_js=FLAGS.litert_js,
        calibration=_calibration(card),
    )
    pipeline.check(
        model,
        output_dir,
        card=card,
        formats=FLAGS.formats,
        options=options,
    )
    images, labels = _images(card, "validation", FLAGS.num_images)
    with quiet.others():
        artifacts = pipeline.export_all(
            model,
            output_dir,
            card=_named(card),
            formats=FLAGS.formats,
            images=images,
            labels=labels,
            options=options,
        )
    _print_table(artifacts, output_dir)


def _default_output_dir(words):
    """Of the folder of a run a folder in it."""
    inside = words and pathlib.Path(words[0]).is_dir()
    return str(pathlib.Path(words[0], "exported")) if inside else "exported"


def _images(card, name, number):
    from keras_resnet.export import pipeline

    split = pipeline.split_of(
        card, name, dataset=FLAGS.dataset, data_dir=FLAGS.data_dir
    )
    return pipeline.read_images(split, number, on_bad_image=FLAGS.on_bad_image)


def _named(card):
    if FLAGS.dataset_name is None:
        return card
    return dataclasses.replace(card, dataset=FLAGS.dataset_name)


def _calibration(card):
    """Evaluation views of training images, if a format asks for them."""
    from keras_resnet.export import formats
    from keras_resnet.export.verification import verify

    if not formats.are_calibrated(FLAGS.formats):
        return None
    images, _ = _images(card, "train", FLAGS.num_calibration_images)
    return verify.evaluation_views(images, card)


def _print_table(artifacts, output_dir):
    agreements = list(map(agreement, artifacts))
    print(
        f"{'file':<22}{'precision':<14}{'MB':>8}{'max abs diff':>14}"
        f"{agreements[0][0]:>17}{'seconds':>9}"
    )
    for a, (_, agreed) in zip(artifacts, agreements, strict=True):
        print(
            f"{a.path:<22}{a.precision:<14}{a.bytes / 1e6:>8.2f}"
            f"{a.max_abs_diff:>14.1e}{agreed:>17.1%}"
            f"{a.export_seconds:>9.1f}"
        )
    print(
        f"\nVerified on {artifacts[0].num_images} images. Wrote them to "
        f"{output_dir}, with labels.txt, manifest.json and samples."
    )
