"""Writes a trained model into a repository of the Hugging Face hub.

    keras-resnet push OWNER/NAME runs/photos --licence=mit
    keras-resnet push OWNER/NAME runs/photos --licence=mit --nodry_run

Without --nodry_run it lists the files and writes nothing. The token is that of
`hf auth login` or HF_TOKEN.
"""

import json
import pathlib

from absl import flags

from keras_resnet.commands import model_files
from keras_resnet.errors import require

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "model",
    None,
    "A .keras file, beside its labels.txt and card.json. Default: the second "
    "word without a flag; the folder of a run is its model.",
)
flags.DEFINE_string(
    "licence", None, "Of the weights, as the hub names it: mit, apache-2.0."
)
flags.DEFINE_bool("private", False, "Make the repository private.")
flags.DEFINE_string("revision", None, "Branch. Default: the main one.")
flags.DEFINE_bool("dry_run", True, "List the files and write nothing.")


def main(args):
    from keras_resnet.export import pushing

    require(
        args,
        "Name a repository, OWNER/NAME, and a model. Received: none.",
    )
    repository, *words = args
    path = model_files.one(FLAGS.model, words)
    recipe, metrics = _of_run(pathlib.Path(path).parent)
    pushed = pushing.push(
        repository,
        path,
        recipe=recipe,
        metrics=metrics,
        licence=FLAGS.licence,
        private=FLAGS.private,
        revision=FLAGS.revision,
        dry_run=FLAGS.dry_run,
    )
    print(pushed)


def _of_run(folder):
    """(what its recipe changes, its figures) of a run; ({}, {}) for none."""
    from keras_resnet import recipes
    from keras_resnet.evaluation import metrics as metrics_lib
    from keras_resnet.labels.cards import load_card
    from keras_resnet.training import workdir

    lines = folder / workdir.METRICS
    if not (lines.is_file() and (folder / workdir.CONFIG).is_file()):
        return {}, {}
    held, usual = workdir.held_fields(folder), workdir.fields(recipes.Recipe())
    kind = metrics_lib.KINDS[load_card(folder).multi_label]
    records = list(map(json.loads, lines.read_text().splitlines()))
    kept = records[-1]
    if held.get("keep") != "last":
        kept = max(records, key=lambda record: record[kind.BEST])
    changed = {n: v for n, v in held.items() if v != usual.get(n)}
    return changed, {n: kept[n] for n in metrics_lib.figures(kind)}
