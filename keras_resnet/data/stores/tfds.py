"""Data sets that TensorFlow Datasets has prepared, or can prepare.

Small ones are kept in memory, decoded if all images have one size; large ones
are read example by example, from array_record or from tfrecord files.
"""

import dataclasses
import os
import re

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import execution
from keras_resnet.data.examples import splits
from keras_resnet.data.pixels import decoding
from keras_resnet.data.stores import records as records_lib
from keras_resnet.data.stores import stored_size
from keras_resnet.data.stores import tfrecord
from keras_resnet.errors import UsageError
from keras_resnet.errors import nearest
from keras_resnet.errors import require

# Larger ones are read example by example. CIFAR-10 has 132 MB.
MAX_BYTES_IN_MEMORY = 256 << 20
# Images of one size are decoded once, up to here. CIFAR-10's take 150 MB.
MAX_BYTES_DECODED = 512 << 20


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
    require(part.num_examples, f"{name}/{split} is empty.")
    class_names = _class_names(tfds, name, info.features)
    open_it, side = _opener(tfds, builder, part), stored_size.of(builder)
    opened = open_it(tfds, builder, part, f"{name}/{split}", class_names)
    opened = dataclasses.replace(opened, shorter_side=side)
    height, width, _ = info.features["image"].shape
    if height and opened.num_examples * height * width * 3 <= MAX_BYTES_DECODED:
        return _decoded(opened, (height, width))
    return opened


def _opener(tfds, builder, part):
    file_format, formats = builder.info.file_format, tfds.core.FileFormat
    if file_format == formats.ARRAY_RECORD:
        return _from_source
    if _num_bytes(part) <= MAX_BYTES_IN_MEMORY:
        return _from_memory
    require(
        file_format == formats.TFRECORD,
        f"{builder.data_dir} holds {file_format.value} files, which are too "
        "large for memory and not read one by one here. Prepare the data set "
        "as array_record or tfrecord.",
    )
    return _from_records


def _from_source(tfds, builder, part, name, class_names):
    source = builder.as_data_source(
        split=part.name,
        deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
    )
    parse = _parser(tfds, builder, name, class_names)

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


def _from_memory(tfds, builder, part, name, class_names):
    # The encoded files: a CIFAR image is 2 KB of PNG, not 3 KB of pixels.
    dataset = builder.as_dataset(
        split=part.name,
        decoders={"image": tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
    )
    dataset = tfds.as_numpy(dataset.with_options(execution.OPTIONS))
    examples = [(e["image"], e["label"]) for e in dataset]
    images = np.array([image for image, _ in examples], dtype=object)
    labels = [label for _, label in examples]
    return splits.Split.from_arrays(
        images, labels, class_names=class_names, name=name
    )


def _from_records(tfds, builder, part, name, class_names):
    pieces = [(p.filename, p.skip, p.take) for p in part.file_instructions]
    parse = _parser(tfds, builder, name, class_names)
    records = records_lib.find(pieces)
    return tfrecord.of_records(name, class_names, records, parse)


def _decoded(split, shape):
    """The same examples, read and decoded once.

    Args:
        split: `splits.Split` of images of one size.
        shape: (H, W) of them all.
    """
    num, size = split.num_examples, (*shape, 3)
    images = np.empty((num, *size), np.uint8)
    labels = np.empty(num, np.int32)

    def example(index):
        image, label = split.read(index)
        image = decoding.pixels(image, "ignore")
        return tf.ensure_shape(image, size), label

    examples = tf.data.Dataset.range(num).map(example, tf.data.AUTOTUNE)
    stop = 0
    for some, their_labels in execution.ahead(examples.batch(1000)):
        start, stop = stop, stop + len(some)
        images[start:stop], labels[start:stop] = some, their_labels
    return dataclasses.replace(
        splits.Split.from_arrays(
            images, labels, class_names=split.class_names, name=split.name
        ),
        describe=split.describe,
        shorter_side=split.shorter_side,
    )


def _parser(tfds, builder, name, class_names):
    decoders = {"image": tfds.decode.SkipDecoding()}

    def parse(record, index):
        example = builder.info.features.deserialize_example(
            record, decoders=decoders
        )
        label = splits.checked_label(
            example["label"], len(class_names), index, name
        )
        return example["image"], label

    return parse


# NAME or NAME/CONFIG, maybe with a version. TFDS asks the network for others.
_NAME = re.compile(
    r"[A-Za-z]\w*(/[\w.-]*\w[\w.-]*)?(:(\d+|\*)(\.(\d+|\*)){2})?"
)


def _builder(tfds, name, data_dir, known):
    if not _NAME.fullmatch(name) or not _is_known(tfds, name, data_dir):
        raise _unknown(tfds, name, known)
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise _unknown(tfds, name, known) from error
    try:
        builder.download_and_prepare()
    except Exception as error:  # whatever the network or disk raises
        raise UsageError(_cannot_prepare(name, builder, error)) from error
    return builder


def _is_known(tfds, name, data_dir):
    """Whether TFDS has a data set itself, or somebody has prepared it.

    For any other, TFDS would ask the network.
    """
    from tensorflow_datasets.core.utils import file_utils

    base = re.split("[/:]", name)[0]
    folders = map(os.fspath, file_utils.list_data_dirs(data_dir))
    return base in tfds.list_builders(with_community_datasets=False) or any(
        tf.io.gfile.isdir(os.path.join(folder, base)) for folder in folders
    )


def _unknown(tfds, name, known):
    own = tfds.list_builders(with_community_datasets=False)
    near = nearest(name.partition(":")[0], known) or nearest(name, own)
    hint = f" Did you mean {near!r}?" if near else ""
    return UsageError(
        f"Unknown data set {name!r}.{hint} Take a TensorFlow Datasets name "
        f"or one of: {', '.join(known)}. Received: {name!r}."
    )


def _cannot_prepare(name, builder, error):
    return (
        f"TFDS could not prepare {name!r} in {builder.data_dir}: {error}\n"
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


def _class_names(tfds, name, features):
    wanted = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    for feature, kind in wanted.items():
        require(
            feature in features and isinstance(features[feature], kind),
            f"TFDS data set {name!r} must have a feature {feature!r} of the "
            f"kind {kind.__name__}. It has: {', '.join(features)}.",
        )
    return tuple(features["label"].names)


def _num_bytes(part):
    return sum(
        tf.io.gfile.stat(p.filename).length * p.take / p.examples_in_shard
        for p in part.file_instructions
    )
