"""Checks an export: every file by its sha256, then against its model.

    keras-resnet verify exported
    keras-resnet verify --model=runs/digits/model.keras exported

Without a model nothing of the export runs. With one, every artifact runs in a
process of its own, on real images. The exit status is 0 if all is well and 2
otherwise.
"""

import dataclasses

from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import image_flags
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.inference.artifact import agreement
from keras_resnet.labels import class_names
from keras_resnet.labels.cards import load_card

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    "The model that was exported: as export takes it. Default: checksums only.",
)
flags.DEFINE_list(
    "runtimes",
    ["own"],
    "Who runs the artifacts, of: own, openvino.",
)
flags.DEFINE_float("tolerance", 1e-4, "Largest difference of a probability.")
image_flags.define()


def main(args):
    from keras_resnet.export import pipeline
    from keras_resnet.export.verification import verify
    from keras_resnet.inference import opening
    from keras_resnet.inference import runtime

    require(
        len(args) == 1,
        "Expected one directory, as keras-resnet export writes it. Received: "
        f"{' '.join(args) or 'none'}.",
    )
    (directory,) = args
    for name in FLAGS.runtimes:
        lookup(runtime.RUNTIMES, name, "runtime")
    if FLAGS.model is None:
        count = verify.check_files(directory)
        print(f"{directory}: all {count} files are as they were exported.")
        return
    recipes.max_masked(FLAGS.on_bad_image)  # refused before the model loads
    model = opening.load(FLAGS.model)
    exported = load_card(directory)
    # The model's card: an export does not tell where its data are.
    card = model.card or exported
    if exported.outputs:
        card = dataclasses.replace(exported, dataset=card.dataset)
    class_names.check_same(card.class_names, exported.class_names, directory)
    split = pipeline.split_of(
        card, dataset=FLAGS.dataset, data_dir=FLAGS.data_dir
    )
    images, labels = pipeline.read_images(
        split,
        FLAGS.num_images,
        on_bad_image=FLAGS.on_bad_image,
        exif=card.exif,
    )
    reports = verify.verify(
        directory,
        model,
        images,
        labels=None if card.outputs else labels,
        tolerance=FLAGS.tolerance,
        runtimes=FLAGS.runtimes,
    )
    (_print_features if card.outputs else _print_classes)(reports)
    print(f"\n{directory} holds {FLAGS.model}, by {len(images)} images.")


def _print_features(reports):
    print(
        f"{'file':<22}{'signature':<17}{'output':<22}{'max abs diff':>13}"
        f"{'diff / std':>12}{'least cosine':>14}"
    )
    for r in reports:
        print(
            f"{r.path:<22}{r.signature:<17}{r.output:<22}"
            f"{r.max_abs_diff:>13.1e}{r.relative_diff:>12.1e}{r.cosine:>14.6f}"
        )


def _print_classes(reports):
    print(
        f"{'file':<22}{'signature':<17}{'runtime':<9}{'max abs diff':>13}"
        f"{'logit diff / std':>18}{agreement(reports[0])[0]:>17}"
        f"{'accuracy lost':>15}"
    )
    for r in reports:
        print(
            f"{r.path:<22}{r.signature:<17}{r.runtime:<9}"
            f"{r.max_abs_diff:>13.1e}{r.relative_logit_diff:>18.1e}"
            f"{agreement(r)[1]:>17.1%}{r.accuracy_loss:>15.2%}"
        )
