"""Top-1 and top-5 error of a model, or of an ensemble, on a data set.

    python pipelines/evaluate.py --model=runs/digits/model.keras
    python pipelines/evaluate.py --model=a.keras --model=b.keras \
        --views=ten_crop

Every example counts once, whatever the batch size and the number of devices.
"""

import dataclasses
import itertools
import json
import pathlib

import _app
from absl import flags

from keras_resnet import labels
from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data.views import VIEWS
from keras_resnet.data.views import Sizes
from keras_resnet.data.views import scales_for
from keras_resnet.errors import lookup
from keras_resnet.errors import require
from keras_resnet.evaluation import views
from keras_resnet.export import runtime
from keras_resnet.training import distribution

FLAGS = flags.FLAGS

flags.DEFINE_multi_string(
    "model",
    None,
    "Path of a .keras file; several times for an ensemble, whose "
    "probabilities are averaged.",
    required=True,
)
flags.DEFINE_string(
    "views",
    "center",
    "center; ten_crop: four corners, centre and their mirror images; or "
    "multi_scale: whole images at several scales, and their mirror images. "
    "The probabilities of all views are averaged.",
)
flags.DEFINE_list(
    "scales",
    None,
    "Shorter sides for multi_scale. Default: 224,256,384,480,640 for a "
    "network of 224 pixels, in proportion for others.",
)
flags.DEFINE_string(
    "dataset",
    None,
    "digits, folder:PATH, tfrecord:PATTERN or a TFDS name. Default: the first "
    "model's.",
)
flags.DEFINE_string(
    "split",
    "validation",
    "validation, train, or with TFDS any of its splits, as 'test[:10%]'.",
)
flags.DEFINE_string("data_dir", None, "Where TensorFlow Datasets keeps data.")
flags.DEFINE_integer(
    "batch_size",
    100,
    "Crops a step, over all devices, but at least one image's on each. "
    "multi_scale takes one image a step on each.",
)
flags.DEFINE_string("strategy", "one_device", "one_device or mirrored.")
flags.DEFINE_integer(
    "devices", None, "Devices to use; without GPUs, logical CPU devices."
)
flags.DEFINE_string(
    "on_bad_image",
    "fail",
    "What an image that cannot be read does: fail, or mask:N to go on without "
    "up to N of them, which are named.",
)
flags.DEFINE_string("json", None, "Also write the figures to this file.")


def main(args):
    _app.no_arguments(args)
    scales = _scales()
    max_masked = recipes.max_masked(FLAGS.on_bad_image)
    require(
        FLAGS.strategy != "multi_worker",
        "One machine evaluates a finished model: take --strategy=mirrored for "
        "all its GPUs. During training all workers evaluate together.",
    )
    strategy = distribution.make_strategy(FLAGS.strategy, FLAGS.devices)
    require(
        FLAGS.batch_size > 0
        and FLAGS.batch_size % strategy.num_replicas_in_sync == 0,
        f"The {strategy.num_replicas_in_sync} devices must divide "
        f"--batch_size. Received: {FLAGS.batch_size}.",
    )
    for path in FLAGS.model:
        require(
            FLAGS.model.count(path) == 1,
            f"{path!r} is there more than once: it would count more than once.",
        )
    with strategy.scope():
        models = [runtime.load_keras(path) for path in FLAGS.model]
    cards = _cards()
    members = [
        _member(path, model, card, scales)
        for path, model, card in zip(FLAGS.model, models, cards, strict=True)
    ]
    dataset = FLAGS.dataset or cards[0].dataset
    split = datasets.load(dataset, FLAGS.split, data_dir=FLAGS.data_dir)
    labels.check_classes(cards[0].class_names, split.class_names, split.name)
    masked = None
    if max_masked:
        masked = bad_images.MaskedImages(split, max_masked)
    *each, together = views.evaluate(
        members,
        strategy,
        split,
        view=FLAGS.views,
        batch_size=FLAGS.batch_size,
        masked=masked,
    )
    _print(split.name, each, together, masked)
    if FLAGS.json:
        figures = {
            "models": [
                {
                    "model": path,
                    **dataclasses.asdict(member.sizes),
                    **dataclasses.asdict(metrics),
                }
                for path, member, metrics in zip(
                    FLAGS.model, members, each, strict=True
                )
            ],
            "views": FLAGS.views,
            "split": split.name,
            "masked_images": 0 if masked is None else len(masked),
            **dataclasses.asdict(together),
        }
        pathlib.Path(FLAGS.json).write_text(json.dumps(figures, indent=2))
    return 0


def _scales():
    """The shorter sides of --scales, or None; checks --views too."""
    row = lookup(VIEWS, FLAGS.views, "view")
    if FLAGS.scales is None:
        return None
    require(
        row.crops is None,
        f"--scales goes with --views=multi_scale. Received: {FLAGS.views}.",
    )
    return _app.integers("scales", FLAGS.scales)


def _cards():
    """The card beside each model; all of the same classes."""
    cards = []
    for path in FLAGS.model:
        cards.append(labels.load_card(pathlib.Path(path).parent))
        _check_same_classes(path, cards[0].class_names, cards[-1].class_names)
    return cards


def _check_same_classes(path, first, classes):
    for index, (a, b) in enumerate(itertools.zip_longest(first, classes)):
        require(
            a == b,
            "An ensemble needs networks of the same classes in the same "
            f"order. Class {index} is {a!r} for {FLAGS.model[0]!r} and {b!r} "
            f"for {path!r}.",
        )


def _member(path, model, card, scales):
    sizes = Sizes(
        resize=card.eval_resize,
        crop=card.image_size,
        scales=scales or scales_for(card.image_size),
    )
    VIEWS[FLAGS.views].check(sizes)
    labels.check_card(
        card,
        path,
        num_classes=model.output_shape[-1],
        image_size=model.input_shape[1],
    )
    return views.Member(model=model, sizes=sizes)


def _print(split, each, together, masked):
    title = split if FLAGS.views == "center" else f"{split}, {FLAGS.views}"
    if len(each) > 1:
        for path, metrics in zip(FLAGS.model, each, strict=True):
            print(f"{path}: {_errors(metrics)}")
        title += f", ensemble of {len(each)}"
    of = f"{together.num_examples} images"
    if masked is not None:
        of += f"; {len(masked)} more could not be read"
    print(f"{title}: {_errors(together)} of {of}")


def _errors(metrics):
    return (
        f"top-1 error {metrics.top1_error:.2%}, "
        f"top-5 error {metrics.top5_error:.2%}, loss {metrics.loss:.4f}"
    )


if __name__ == "__main__":
    _app.run(main)
