"""Looks at a data set, checks every pixel of it, or prepares one for TFDS.

    keras-resnet data inspect --dataset=folder:photographs
    keras-resnet data validate --dataset=folder:photographs \\
        --manifest=photographs.jsonl
    keras-resnet data prepare --source=fashion_mnist --data_dir=data

`inspect` reads headers and draws what the network will see; `validate` decodes
everything once and writes or compares a manifest. The fields of a recipe are
flags, as for training. The exit status is 1 where something is wrong with the
data, 2 for a wrong command.
"""

import pathlib

from absl import flags

from keras_resnet import files
from keras_resnet import recipes
from keras_resnet.commands import recipe_flags
from keras_resnet.commands import running
from keras_resnet.data.pixels import headers
from keras_resnet.errors import lookup
from keras_resnet.errors import printable
from keras_resnet.errors import require
from keras_resnet.labels.view import View
from keras_resnet.recipes import sizes

FLAGS = flags.FLAGS

flags.DEFINE_string(
    "recipe",
    "digits",
    "Name of a recipe, for inspect. Default with --dataset: what training on "
    "it would choose.",
)
flags.DEFINE_string("data_dir", None, "Where TensorFlow Datasets keeps data.")
flags.DEFINE_string(
    "split", None, "train or validation. Default: train; validate takes both."
)
flags.DEFINE_integer(
    "max_pixels",
    headers.MAX_PIXELS,
    "Width times height above which nothing is decoded.",
)
flags.DEFINE_string(
    "output", None, "inspect: folder of its files. Default: runs/inspect."
)
flags.DEFINE_integer(
    "images", 32, "inspect: images on the contact sheet.", lower_bound=1
)
flags.DEFINE_string("manifest", None, "validate: the file to write.")
flags.DEFINE_string("against", None, "validate: an earlier manifest.")
flags.DEFINE_string(
    "source", None, "prepare: fashion_mnist, folder:PATH or csv:FILE."
)
flags.DEFINE_string(
    "source_dir", None, "prepare: folder of Fashion-MNIST's four .gz files."
)
flags.DEFINE_string(
    "name", None, "prepare: what to call the data set of your files."
)
flags.DEFINE_string("file_format", None, "prepare: array_record or tfrecord.")
flags.DEFINE_integer(
    "shorter_side",
    None,
    "prepare: of your files; larger pictures are stored with a shorter side of "
    "so many pixels. 512 serves the papers' scales of 256 to 480.",
    lower_bound=1,
)


def inspect():
    """Prints what is in a split, draws what the network sees."""
    from keras_resnet.data import datasets
    from keras_resnet.data.survey import contact_sheet
    from keras_resnet.data.survey import inspection
    from keras_resnet.data.survey import inspection_report

    recipe = sizes.stages(_recipe())[0].recipe
    split = _load(recipe.dataset, FLAGS.split or "train")
    folder = files.folder(FLAGS.output or "runs/inspect")
    found = inspection.survey(split, max_pixels=FLAGS.max_pixels)
    print("\n".join(inspection_report.lines(found, exif=recipe.exif)))
    inspection.write_classes(found, folder / "classes.csv")
    inspection.write_unreadable(found, folder / "unreadable.csv")
    if found.num_readable:
        inspection_report.draw_sizes(
            found,
            folder / "sizes.png",
            marks={
                "evaluation's shorter side": recipe.eval_resize,
                "crop": View.of(recipe).crop,
            },
        )
    views = contact_sheet.first_views(
        split,
        recipe,
        fill=datasets.info(recipe.dataset).pixel_mean,
        count=FLAGS.images,
    )
    contact_sheet.draw(
        views,
        folder / "contact_sheet.png",
        title=f"{split.name}: what the network sees",
        subtitle=contact_sheet.subtitle(recipe),
    )
    print(
        f"Written to {folder}: classes.csv, unreadable.csv, contact_sheet.png"
        + (", sizes.png" if found.num_readable else "")
    )
    return 1 if found.unreadable else 0


def _recipe():
    """The recipe of --recipe; for a data set alone, training's choice."""
    overrides = recipe_flags.overrides()
    if FLAGS.dataset is None or FLAGS["recipe"].present:
        return recipes.load(FLAGS.recipe, overrides)
    from keras_resnet.training import choices

    return choices.choose(
        FLAGS.dataset,
        weights=overrides.pop("weights", ""),
        steps=overrides.pop("steps", None),
        fields=overrides,
        split=_load(FLAGS.dataset, "train"),
    )


def _load(dataset, split):
    from keras_resnet.data import datasets

    require(
        split in ("train", "validation"),
        f"--split must be train or validation. Received: {split!r}.",
    )
    return datasets.load(dataset, split, data_dir=FLAGS.data_dir)


def validate():
    """Decodes everything once; writes a manifest, compares with an old one."""
    from keras_resnet.commands import findings
    from keras_resnet.data.survey import duplicates
    from keras_resnet.data.survey import manifest

    # The pixels of the recipe are not looked at.
    dataset = FLAGS.dataset or recipes.load(FLAGS.recipe).dataset
    require(
        FLAGS.manifest is None or not pathlib.Path(FLAGS.manifest).exists(),
        f"{FLAGS.manifest!r} exists. Compare with it by --against, or remove "
        "it; it is what tells of changes.",
    )
    keys = [FLAGS.split] if FLAGS.split else ["train", "validation"]
    splits = {key: _load(dataset, key) for key in keys}
    class_names = splits[keys[0]].class_names
    comparison = None
    if FLAGS.against:
        comparison = manifest.Comparison(
            FLAGS.against, class_names=class_names, splits=keys
        )
    if FLAGS.manifest:
        files.folder(pathlib.Path(FLAGS.manifest).parent)
    writer = manifest.Writer(
        FLAGS.manifest, dataset=dataset, class_names=class_names
    )
    copies, unreadable = duplicates.Duplicates(), []
    for key, split in splits.items():
        for record in manifest.records(key, split, max_pixels=FLAGS.max_pixels):
            writer.add(record)
            copies.add(record)
            if comparison:
                comparison.add(record)
            if "error" in record:
                name = findings.place(key, record["name"])
                unreadable.append(f"{name}: {record['error']}")
    writer.close()
    counts = ", ".join(f"{s.num_examples:,} {key}" for key, s in splits.items())
    print(f"{printable(dataset)}: {counts}; digest {writer.digest}")
    findings.show("unreadable", unreadable)
    findings.show_copies(copies.groups(), splits)
    differences = findings.show_changes(comparison) if comparison else 0
    if FLAGS.manifest:
        print(f"Manifest: {FLAGS.manifest}")
    return 1 if unreadable or differences else 0


def prepare():
    """Writes a data set that TFDS and training read without a download."""
    from keras_resnet.commands import findings
    from keras_resnet.data.survey import prepare

    source = FLAGS.source
    require(
        source,
        "prepare takes --source=fashion_mnist, folder:PATH or csv:FILE. "
        "Received: no --source; --dataset is for inspect and validate.",
    )
    if FLAGS.file_format is not None:
        known = dict.fromkeys(prepare.FILE_FORMATS)
        lookup(known, FLAGS.file_format, "file format")
    options = {"data_dir": FLAGS.data_dir, "file_format": FLAGS.file_format}
    if source.startswith(("folder:", "csv:")):
        done = prepare.files(
            source, FLAGS.name, shorter_side=FLAGS.shorter_side, **options
        )
    else:
        known = ("fashion_mnist", "folder:PATH", "csv:FILE")
        lookup(dict.fromkeys(known), source, "source")
        require(
            FLAGS.shorter_side is None,
            "--shorter_side is for your files, --source=folder:PATH or "
            f"csv:FILE. Received: --source={source}.",
        )
        done = prepare.fashion_mnist(
            FLAGS.source_dir or prepare.FASHION_MNIST, **options
        )
    findings.show_prepared(done)


# {command: (what it does, those of its flags that not all commands take)}.
COMMANDS = {
    "inspect": (inspect, {"split", "max_pixels", "output", "images"}),
    "validate": (validate, {"split", "max_pixels", "manifest", "against"}),
    "prepare": (
        prepare,
        {"source", "source_dir", "name", "file_format", "shorter_side"},
    ),
}


def main(args):
    require(
        args,
        "Say what to do: keras-resnet data "
        f"{'|'.join(COMMANDS)} --flags=values.",
    )
    command, own = lookup(COMMANDS, args[0], "command")
    running.no_arguments(args[1:])
    for flag in set().union(*(taken for _, taken in COMMANDS.values())) - own:
        require(
            not FLAGS[flag].present,
            f"`keras-resnet data {args[0]}` does not take --{flag}. It takes "
            f"{', '.join(f'--{name}' for name in sorted(own))}.",
        )
    return command()


recipe_flags.define()
