"""Classifies image files with a model of any format.

keras-resnet predict exported/model.tflite photo.jpg
keras-resnet predict --model=exported/model.onnx exported/samples
keras-resnet predict --model=exported/model.onnx --input=photos \\
  --output=predictions.parquet

With --input any number of images goes into a table, docs/BATCH.md; stopped,
the same command goes on.
"""

import statistics

from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import model_files
from keras_resnet.errors import UsageError
from keras_resnet.errors import printable
from keras_resnet.errors import require

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    ".keras, .tflite or .onnx file or SavedModel directory, beside its "
    "labels.txt and card.json; our .tflite files have both inside. Or a "
    "repository, hf://OWNER/NAME, without --input. Default: "
    "the first word without a flag; the folder of a run is its model.",
)
flags.DEFINE_integer(
    "top",
    5,
    "Classes of an image. Default of labels that do not exclude each other: "
    "all above 50 %, at least one; in a table a column of these.",
    lower_bound=1,
)
flags.DEFINE_string(
    "input",
    None,
    "A folder of images, or of folders of them; or a pattern of TFRecord "
    "files. Needs --output.",
)
flags.DEFINE_string("output", None, "Folder for the table of Parquet files.")
flags.DEFINE_bool("force", False, "Replace an earlier table.")
flags.DEFINE_bool("probabilities", False, "Keep those of all classes too.")
flags.DEFINE_string(
    "on_bad_image",
    "note",
    "What an image that cannot be read does: note, a row with an error; "
    "mask:N, for up to N of them; or fail.",
)
flags.DEFINE_integer("batch_size", 32, "Images at a time.", lower_bound=1)
flags.DEFINE_integer(
    "rows_per_part",
    10_000,
    "Images of a file of the table, and what is lost when a run dies.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "threads",
    None,
    "Interpreters of a TFLite file. Default: one a core.",
    lower_bound=1,
)


# Formats whose runtimes are not TensorFlow's.
_WITHOUT_TENSORFLOW = ("tflite", "onnx", "web")


def needs_tensorflow(args):
    """Whether the command starts with TensorFlow's import, five seconds.

    For a model that is not recognised, `main` says what is wrong with it.
    """
    from keras_resnet.inference import kinds
    from keras_resnet.inference import pictures
    from keras_resnet.weights import hub

    if FLAGS.input is not None:
        return True
    try:
        path, args = model_files.first(FLAGS.model, args)
        if hub.is_handle(path):
            return True
        # TensorFlow finds damage in a GIF that Pillow does not.
        if any(f.suffix.lower() == ".gif" for f in pictures.files(args)):
            return True
        return kinds.recognise(path).name not in _WITHOUT_TENSORFLOW
    except UsageError:
        return False


def main(args):
    path, args = model_files.first(FLAGS.model, args)
    if FLAGS.input is None and FLAGS.output is None:
        return _print_each(path, args)
    require(
        FLAGS.input is not None and FLAGS.output is not None and not args,
        "--input and --output go together, and without other images. "
        f"Received: --input={FLAGS.input} --output={FLAGS.output} "
        f"{' '.join(args)}",
    )
    return _write_table(path)


def _write_table(path):
    from keras_resnet.inference import batch

    bad = FLAGS.on_bad_image
    job = batch.Job(
        model=path,
        input=FLAGS.input,
        output=FLAGS.output,
        top=FLAGS.top,
        probabilities=FLAGS.probabilities,
        batch_size=FLAGS.batch_size,
        rows_per_part=FLAGS.rows_per_part,
        max_errors=None if bad == "note" else recipes.max_masked(bad),
        threads=FLAGS.threads,
    )
    try:
        summary = batch.run(job, force=FLAGS.force)
    except KeyboardInterrupt:
        print("Stopped. The same command goes on after the last whole part.")
        return 130
    for image, why in summary.named:
        print(f"Cannot read {printable(image)}: {printable(why)}.")
    print(
        f"{FLAGS.output}: {summary.rows:,} rows in {summary.parts:,} parts, "
        f"{summary.errors:,} of them with an error."
    )
    new = summary.rows - summary.earlier_rows
    speed = f": {new / summary.seconds:,.0f} a second" if new else ""
    print(f"{new:,} of the rows are new{speed}.")
    return 0


def _print_each(path, args):
    from keras_resnet.inference import kinds
    from keras_resnet.inference import predictions
    from keras_resnet.weights import hub

    found = predictions.predict(
        path, args, top=FLAGS.top if FLAGS["top"].present else None
    )
    for prediction in found:
        file = printable(prediction.file)
        print(f"{file}  ({prediction.milliseconds:.1f} ms)")
        for name, probability in prediction.top:
            no = prediction.multi_label and not probability > 0.5
            name += "  (not above 50%)" * no
            print(f"  {probability:7.2%}  {printable(name)}")
    kind = path if hub.is_handle(path) else kinds.recognise(path).name
    _print_times(kind, [prediction.milliseconds for prediction in found])


def _print_times(format, times):
    rest = times[1:]
    then = f", then {statistics.median(rest):.1f} ms an image" if rest else ""
    print(
        f"\n{len(times)} images with {format}: first call {times[0]:.1f} ms"
        f"{then}."
    )
