"""Data sets that TensorFlow Datasets has prepared, or can prepare.

Small ones are held in memory as encoded files; large ones are read example by
example, from array_record or from tfrecord files.
"""

import numpy as np
import tensorflow as tf

from keras_resnet.data import splits
from keras_resnet.data.stores import memory
from keras_resnet.data.stores import records as records_lib
from keras_resnet.data.stores import tfrecord
from keras_resnet.errors import UsageError
from keras_resnet.errors import nearest
from keras_resnet.errors import require

# CIFAR-10 has 132 MB, SVHN's train split 1 GB.
MAX_BYTES_IN_MEMORY = 256 << 20


def load(name, split, *, data_dir, validation, known):
    """Opens a split of a data set.

    Args:
        name: as TFDS has it, such as "cifar10" or "imagenette/160px-v2".
        split: as TFDS has it: a name, or an expression such as "train[:10%]"
            or "train+test".
        data_dir: where the data set is or is to be prepared.
        validation: the split that "validation" stands for. Where it does not
            exist, "test" is taken.
        known: names to offer first where `name` is unknown.

    Raises:
        keras_resnet.UsageError: if there is no such data set or split, it is
            empty, cannot be prepared, or has no images with one label each.
    """
    import tensorflow_datasets as tfds  # seconds to import

    builder = _builder(tfds, name, data_dir, known)
    info = builder.info
    if split == "validation":
        split = validation
        if split not in info.splits and "test" in info.splits:
            split = "test"
    part = _split_info(name, info.splits, split)
    for feature in ("image", "label"):
        require(
            feature in info.features,
            f"TFDS data set {name!r} must have features 'image' and 'label'. "
            f"It has: {', '.join(info.features)}.",
        )
    full_name = f"{name}/{split}"
    class_names = tuple(info.features["label"].names)
    require(part.num_examples, f"{full_name} is empty.")
    decoders = {"image": tfds.decode.SkipDecoding()}

    def parse(record, index):
        example = info.features.deserialize_example(record, decoders=decoders)
        label = splits.checked_label(
            example["label"], len(class_names), index, full_name
        )
        return example["image"], label

    if info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        source = builder.as_data_source(
            split=split,
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
        )
        return _of_source(full_name, class_names, source, parse)
    pieces = part.file_instructions
    if _num_bytes(pieces) <= MAX_BYTES_IN_MEMORY:
        dataset = builder.as_dataset(
            split=split,
            decoders=decoders,
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
        )
        examples = [(e["image"], e["label"]) for e in tfds.as_numpy(dataset)]
        images = np.array([image for image, _ in examples], dtype=object)
        labels = [label for _, label in examples]
        return memory.from_memory(full_name, class_names, images, labels)
    require(
        info.file_format == tfds.core.FileFormat.TFRECORD,
        f"{full_name} is prepared as {info.file_format.value}, which is not "
        "read here. Prepare it as array_record or tfrecord.",
    )
    records = records_lib.find([(p.filename, p.skip, p.take) for p in pieces])
    return tfrecord.of_records(full_name, class_names, records, parse)


def _builder(tfds, name, data_dir, known):
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        near = nearest(name, known) or nearest(name, tfds.list_builders())
        hint = f" Did you mean {near!r}?" if near else ""
        raise UsageError(
            f"Unknown data set {name!r}.{hint} Take 'digits', 'folder:PATH', "
            "'tfrecord:PATTERN' or a TensorFlow Datasets name. "
            f"Received: {name!r}."
        ) from error
    try:
        builder.download_and_prepare()
    except Exception as error:  # whatever network or disk say
        raise UsageError(_cannot_prepare(name, builder, error)) from error
    return builder


def _cannot_prepare(name, builder, error):
    instructions = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if instructions and isinstance(error, AssertionError):
        error = f"files are needed that only you can get.\n{error}\n"
    return (
        f"TFDS could not prepare {name!r} in {builder.data_dir}: {error} "
        "If it is prepared elsewhere, pass its --data_dir. Otherwise prepare "
        f"it with `tfds build {name} --file_format=array_record "
        "--data_dir=DIR` (with --manual_dir for files that you got, "
        "--num-processes, and --beam_pipeline_options for data sets that "
        "Apache Beam spreads over machines; the command needs `pip install "
        "apache-beam`)."
    )


def _split_info(name, known, split):
    try:
        return known[split]
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"TFDS data set {name!r} has no split {split!r}. It has: "
            f"{', '.join(known)}, and parts of them such as 'train[:10%]'."
        ) from error


def _num_bytes(pieces):
    return sum(
        tf.io.gfile.stat(p.filename).length * p.take / p.examples_in_shard
        for p in pieces
        if p.examples_in_shard
    )


def _of_source(name, class_names, source, parse):
    def read(index):
        record = tf.numpy_function(
            lambda i: source[int(i)], [index], tf.string, stateful=False
        )
        return parse(tf.ensure_shape(record, ()), index)

    return splits.Split(
        name=name,
        class_names=class_names,
        num_examples=len(source),
        read=read,
        describe=lambda index: f"example {index} of {name}",
    )
