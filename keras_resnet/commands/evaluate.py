"""Top-1 and top-5 error of a model, or of an ensemble, on a data set.

Of images with any number of labels: mAP and F1.

    keras-resnet evaluate runs/digits --report=report.html
    keras-resnet evaluate --model=a.keras --model=b.keras \\
        --views=ten_crop

Every example counts once, whatever the batch size and the number of devices.
Of five classes or fewer top-5 is not shown: it is always right.
"""

import dataclasses
import functools
import json
import pathlib

from absl import flags

from keras_resnet import recipes
from keras_resnet.commands import model_files
from keras_resnet.commands import running
from keras_resnet.errors import lookup
from keras_resnet.errors import printable
from keras_resnet.errors import require

FLAGS = flags.FLAGS

flags.DEFINE_multi_string(
    "model",
    None,
    "Path of a .keras file, or a repository, hf://OWNER/NAME; several times "
    "for an ensemble, whose probabilities are averaged. Words without a flag "
    "are models too, and the folder of a run is its model.",
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
    "digits, folder:PATH, csv:FILE, tfrecord:PATTERN or a TFDS name. Default: "
    "the first model's.",
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
    lower_bound=1,
)
flags.DEFINE_string("strategy", "one_device", "one_device or mirrored.")
flags.DEFINE_integer(
    "devices",
    None,
    "Devices to use; without GPUs, logical CPU devices.",
    lower_bound=1,
)
flags.DEFINE_string(
    "on_bad_image",
    "fail",
    "What an image that cannot be read does: fail, or mask:N to go on without "
    "up to N of them, which are named.",
)
flags.DEFINE_string("json", None, "Also write the figures to this file.")
flags.DEFINE_string(
    "report",
    None,
    "Also write figures class by class, the calibration and the surest "
    "mistakes: a page, or for a name that ends in .json JSON.",
)


def main(args):
    from keras_resnet.evaluation import members as members_lib
    from keras_resnet.evaluation import views
    from keras_resnet.networks import execution
    from keras_resnet.training import distribution

    paths = model_files.several(FLAGS.model, args)
    execution.require_tensorflow("An evaluation")
    require(
        FLAGS.report is None or (len(paths) == 1 and FLAGS.views == "center"),
        "--report is of one model by the view center. Received: "
        f"{' '.join(paths)}, --views={FLAGS.views}.",
    )
    scales = _scales()
    recipes.max_masked(FLAGS.on_bad_image)  # refused before models load
    require(
        FLAGS.strategy != "multi_worker",
        "One machine evaluates a finished model: take --strategy=mirrored for "
        "all its GPUs. During training all workers evaluate together.",
    )
    strategy = distribution.make_strategy(FLAGS.strategy, FLAGS.devices)
    require(
        FLAGS.batch_size % strategy.num_replicas_in_sync == 0,
        f"The {strategy.num_replicas_in_sync} devices must divide "
        f"--batch_size. Received: {FLAGS.batch_size}.",
    )
    loaded = members_lib.load(paths, strategy)
    members = [
        views.Member(model=model, view=_view(card, scales))
        for model, card in loaded
    ]
    _, card = loaded[0]
    split, masked = members_lib.open_split(
        card,
        FLAGS.dataset,
        FLAGS.split,
        data_dir=FLAGS.data_dir,
        on_bad_image=FLAGS.on_bad_image,
    )
    if FLAGS.report:
        each = [_report(members[0], strategy, split, masked)]
        together = each[0]
    else:
        *each, together = views.evaluate(
            members,
            strategy,
            split,
            views=FLAGS.views,
            batch_size=FLAGS.batch_size,
            masked=masked,
        )
    shown = functools.partial(_errors, num_classes=len(card.class_names))
    _print(paths, split.name, each, together, masked, shown)
    if FLAGS.json:
        figures = _figures(paths, split.name, members, each, together, masked)
        pathlib.Path(FLAGS.json).write_text(json.dumps(figures, indent=2))
    return 0


def _report(member, strategy, split, masked):
    """Writes --report; returns the `Metrics` in it."""
    from keras_resnet.evaluation import reports

    found = reports.make(
        member.model,
        member.view,
        split,
        batch_size=FLAGS.batch_size,
        strategy=strategy,
        masked=masked,
    )
    found.save(FLAGS.report)
    print(f"Report: {FLAGS.report}")
    return found.metrics


def _figures(paths, split, members, each, together, masked):
    """What --json writes."""
    rows = zip(paths, members, each, strict=True)
    return {
        "models": [
            {
                "model": path,
                **dataclasses.asdict(member.view),
                **dataclasses.asdict(metrics),
            }
            for path, member, metrics in rows
        ],
        "views": FLAGS.views,
        "split": split,
        "masked_images": 0 if masked is None else len(masked),
        **dataclasses.asdict(together),
    }


def _scales():
    """The shorter sides of --scales, or None; checks --views too."""
    from keras_resnet.data.pixels.crops import VIEWS

    row = lookup(VIEWS, FLAGS.views, "view")
    if FLAGS.scales is None:
        return None
    require(
        row.number is None,
        f"--scales goes with --views=multi_scale. Received: {FLAGS.views}.",
    )
    return running.integers("scales", FLAGS.scales)


def _view(card, scales):
    from keras_resnet.data.pixels.crops import VIEWS
    from keras_resnet.data.pixels.crops import scales_for
    from keras_resnet.labels.view import View

    view = View.of(card, scales or scales_for(card.image_size))
    VIEWS[FLAGS.views].check(view)
    return view


def _print(paths, split, each, together, masked, shown):
    title = split if FLAGS.views == "center" else f"{split}, {FLAGS.views}"
    if len(each) > 1:
        for path, metrics in zip(paths, each, strict=True):
            print(printable(f"{path}: {shown(metrics)}"))
        title += f", ensemble of {len(each)}"
    of = f"{together.num_examples} images"
    if masked is not None:
        of += f"; {len(masked)} more could not be read"
    print(printable(f"{title}: {shown(together)} of {of}"))


def _errors(metrics, num_classes):
    from keras_resnet.evaluation import metrics as metrics_lib

    if not isinstance(metrics, metrics_lib.Metrics):
        return str(metrics)
    top5 = ""
    if metrics_lib.has_top5(num_classes):
        top5 = f"top-5 error {metrics.top5_error:.2%}, "
    return (
        f"top-1 error {metrics.top1_error:.2%}, {top5}loss {metrics.loss:.4f}"
    )
