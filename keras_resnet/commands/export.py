"""Exports a trained model as SavedModel, TFLite and ONNX, and verifies each.

    keras-resnet export --model=runs/digits/model.keras \\
        --output_dir=exported --formats=saved_model,tflite,onnx

Formats: saved_model, saved_model_bfloat16 (half the bytes); tflite (8-bit
weights, for phones), tflite_float32, tflite_float16, tflite_int8 (all of 8
bits, uint8 pixels); onnx, onnx_int8; web, a page that runs the network in a
browser.
"""

import pathlib

from absl import flags

from keras_resnet.commands import image_flags
from keras_resnet.commands import model_files
from keras_resnet.export import quiet

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    ".keras file, beside its labels.txt and card.json, or a repository, "
    "hf://OWNER/NAME. A word without a flag is it too, and the folder of a run "
    "is its model.",
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
flags.DEFINE_list(
    "outputs",
    None,
    "Features in place of classes: embedding, pyramid, or names that "
    "keras_resnet.features takes, such as C4,stage3_unit2/conv1.",
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
flags.DEFINE_bool(
    "frozen",
    False,
    "SavedModels whose weights are constants of the graph: a little faster, "
    "more memory at the start.",
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
    from keras_resnet.export import exporting

    path = model_files.one(FLAGS.model, args)
    with quiet.others():
        artifacts = exporting.export(
            path,
            FLAGS.output_dir or _default_output_dir(args),
            formats=FLAGS.formats,
            outputs=FLAGS.outputs,
            images=FLAGS.dataset,
            force=FLAGS.force,
            num_images=FLAGS.num_images,
            num_calibration_images=FLAGS.num_calibration_images,
            data_dir=FLAGS.data_dir,
            on_bad_image=FLAGS.on_bad_image,
            dataset_name=FLAGS.dataset_name,
            opset=FLAGS.opset,
            input_dtype=FLAGS.input_dtype,
            dynamic_batch=FLAGS.dynamic_batch,
            resize=FLAGS.resize,
            frozen=FLAGS.frozen,
            litert_js=FLAGS.litert_js,
        )
    print(artifacts)


def _default_output_dir(words):
    """The folder exported; for the folder of a run, in that folder."""
    inside = words and pathlib.Path(words[0]).is_dir()
    return str(pathlib.Path(words[0], "exported")) if inside else "exported"
