"""Checks an export against its model: every file, in its own runtime.

python pipelines/verify.py --model=runs/digits/model.keras exported

The exit status is 0 if all is well and 2 otherwise.
"""

import _app
from absl import flags

from keras_resnet.errors import require
from keras_resnet.export import pipeline
from keras_resnet.export import runtime
from keras_resnet.export import verify
from keras_resnet.labels import load_card

FLAGS = flags.FLAGS
flags.DEFINE_string("model", None, ".keras file that was exported.")
flags.DEFINE_float(
    "tolerance", verify.TOLERANCE, "Largest difference of a probability."
)
flags.DEFINE_string(
    "dataset",
    None,
    "digits, folder:PATH, tfrecord:PATTERN or a TFDS name: real images to "
    "verify with. "
    "Default: what the model was trained on.",
)
flags.DEFINE_integer("num_images", 64, "How many images to verify with.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data.")
flags.mark_flag_as_required("model")


def main(args):
    require(
        len(args) == 1,
        "Expected one directory, as export.py writes it. Received: "
        f"{' '.join(args) or 'none'}.",
    )
    (directory,) = args
    card = load_card(directory)
    model = runtime.load_keras(FLAGS.model)
    split = pipeline.verification_split(
        card, dataset=FLAGS.dataset, data_dir=FLAGS.data_dir
    )
    images, _ = pipeline.read_images(split, FLAGS.num_images)
    reports = verify.verify(directory, model, images, tolerance=FLAGS.tolerance)
    print(
        f"{'file':<14}{'signature':<17}{'max abs diff':>13}"
        f"{'logit diff / std':>18}{'top-1 agreement':>17}"
    )
    for r in reports:
        print(
            f"{r.path:<14}{r.signature:<17}{r.max_abs_diff:>13.1e}"
            f"{r.relative_logit_diff:>18.1e}{r.top1_agreement:>17.1%}"
        )
    print(f"\n{directory} holds {FLAGS.model}, by {len(images)} images.")


if __name__ == "__main__":
    _app.run(main)
