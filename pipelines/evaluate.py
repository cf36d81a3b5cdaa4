"""Top-1 and top-5 error of a model on a data set.

    python pipelines/evaluate.py --model=runs/digits/model.keras

Every example counts once, whatever the batch size and the number of devices.
"""

import json
import pathlib

import _app
from absl import flags

FLAGS = flags.FLAGS

flags.DEFINE_string("model", None, "Path of a .keras file.", required=True)
flags.DEFINE_string(
    "dataset", None, "digits, a TFDS name or folder:PATH. Default: the model's."
)
flags.DEFINE_string("split", "validation", "validation or train.")
flags.DEFINE_string("data_dir", None, "Where TensorFlow Datasets keeps data.")
flags.DEFINE_integer("batch_size", 100, "Images a step, over all devices.")
flags.DEFINE_string("strategy", "one_device", "one_device or mirrored.")
flags.DEFINE_integer(
    "devices", None, "Devices to use; without GPUs, logical CPU devices."
)
flags.DEFINE_string("json", None, "Also write the figures to this file.")


def main(args):
    _app.no_arguments(args)
    from keras_resnet import labels
    from keras_resnet.data import datasets
    from keras_resnet.errors import require
    from keras_resnet.export import runtime
    from keras_resnet.training import distribution
    from keras_resnet.training import loop
    from keras_resnet.training import step

    strategy = distribution.make_strategy(FLAGS.strategy, FLAGS.devices)
    require(
        FLAGS.batch_size > 0
        and FLAGS.batch_size % strategy.num_replicas_in_sync == 0,
        f"The {strategy.num_replicas_in_sync} devices must divide "
        f"--batch_size. Received: {FLAGS.batch_size}.",
    )
    with strategy.scope():
        model = runtime.load_keras(FLAGS.model)
    card = labels.load_card(pathlib.Path(FLAGS.model).parent)
    dataset = FLAGS.dataset or card.dataset
    split = datasets.load(dataset, FLAGS.split, data_dir=FLAGS.data_dir)
    labels.check_classes(card.class_names, split.class_names, split.name)
    metrics = loop.evaluate(
        step.make_eval_step(strategy, model),
        strategy,
        split,
        batch_size=FLAGS.batch_size,
        resize=card.eval_resize,
        size=card.image_size,
    )
    print(
        f"{split.name}: top-1 error {metrics.top1_error:.2%}, "
        f"top-5 error {metrics.top5_error:.2%}, loss {metrics.loss:.4f} "
        f"of {metrics.num_examples} images"
    )
    if FLAGS.json:
        figures = {
            "model": FLAGS.model,
            "split": split.name,
            "loss": metrics.loss,
            "top1_accuracy": metrics.top1_accuracy,
            "top5_accuracy": metrics.top5_accuracy,
            "num_examples": metrics.num_examples,
        }
        pathlib.Path(FLAGS.json).write_text(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    _app.run(main)
