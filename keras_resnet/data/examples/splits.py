"""What every store gives: examples with random access."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.data.examples import class_labels
from keras_resnet.data.examples import graphs
from keras_resnet.data.examples import holdout
from keras_resnet.data.examples import host
from keras_resnet.data.examples import order
from keras_resnet.data.examples import own_examples
from keras_resnet.errors import require
from keras_resnet.labels import html


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """Runs of examples that lie together in a file.

    Attributes:
        starts: int64 (blocks + 1,), ascending from 0 to the number of
            examples: block b holds starts[b], ..., starts[b + 1] - 1.
        reader: int n >= 1 -> a `Split.read` that reads whole blocks, each in
            one go, and keeps the n that were used last in memory.
    """

    starts: np.ndarray
    reader: Callable[[int], Callable]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Split:
    """Examples with random access, of K classes.

    Attributes:
        name: "digits/train".
        class_names: K names, of the labels 0, 1, ...
        num_examples: int >= 1.
        read: int64 scalar tensor -> (image, label), in a tf.data graph: image
            is uint8 (H, W, 3), or the string scalar of an encoded file; label
            is an int32 scalar, or uint8 (K,) where `multi_label`.
        describe: int -> what to call the example in a message: its file.
        labels: int32 (num_examples,), or uint8 (num_examples, K) where
            `multi_label`, or None where only reading an example tells its
            label.
        blocks: `Blocks`, or None where random reads are all there is.
        pixels: uint8 (num_examples, H, W, 3) on the host, or None where they
            are not all in memory, decoded and of one size.
        shorter_side: int, to which larger pictures were shrunk when they were
            stored; None where they were not.
        upright: as `read`, with each image turned as its EXIF note says; None
            where no decoded image has a note (encoded files keep theirs).
        multi_label: whether an example may have any number of classes. Its
            label is then 1 for each class that it has, 0 for others.

    Raises:
        keras_resnet.UsageError: if `labels` have another shape.
    """

    name: str
    class_names: tuple[str, ...]
    num_examples: int
    read: Callable
    describe: Callable[[int], str]
    labels: np.ndarray | None = None
    blocks: Blocks | None = None
    pixels: tf.Tensor | None = None
    multi_label: bool = False
    upright: Callable | None = None
    shorter_side: int | None = None

    from_arrays = classmethod(own_examples.from_arrays)
    from_source = classmethod(own_examples.from_source)

    def __post_init__(self):
        shape, classes = np.shape(self.labels), len(self.class_names)
        require(
            self.labels is None or shape[1:] == (classes,) * self.multi_label,
            f"{self.name} needs labels of the shape "
            f"{('(N,)', f'(N, {classes})')[self.multi_label]}, as its "
            f"multi_label={self.multi_label}. Received: the shape {shape}.",
        )
        object.__setattr__(self, "read", graphs.rewritten(self.read))

    def __repr__(self):
        names = ", ".join(self.class_names[:5])
        more = ", ..." if len(self.class_names) > 5 else ""
        several = ", any number each" if self.multi_label else ""
        return (
            f"<Split {self.name}: {self.num_examples:,} examples of "
            f"{len(self.class_names)} classes{several}: {names}{more}>"
        )

    def _repr_html_(self):
        """For notebooks: how many examples each class has, where known."""
        counts = ["?"] * len(self.class_names)
        if self.labels is not None:
            counts = class_labels.counts(self.labels, len(counts))
        rows = dict(zip(self.class_names, counts, strict=True))
        return html.table(f"{self.name}: {self.num_examples:,} examples", rows)

    def hold_out(self, validation=0.2, seed=0, groups=None):
        """Divides the examples: a part of each class is for validation.

        Args:
            validation: float between 0 and 1, the part.
            seed: int, chooses which ones.
            groups: int (num_examples,), equal for examples that stay
                together. Default: images of equal bytes or pixels do; each
                image is read once to find them.

        Returns:
            (`Split` to train on, `Split` for validation).

        Raises:
            keras_resnet.UsageError: as `holdout.choose`, or if only reading
                an example tells its label.
        """
        require(
            self.labels is not None,
            f"The labels of {self.name} are not known, so no part of each "
            "class can be held out. Give them to the Split.",
        )
        if groups is None:
            groups = own_examples.copies(self)
        held = holdout.choose(self.labels, validation, seed, groups)
        parts = (np.flatnonzero(chosen) for chosen in (~held, held))
        return tuple(select(self, indices) for indices in parts)


def as_seen(split, exif):
    """A `Split` that reads images as a choice of `labels.view.EXIF` says."""
    if exif == "ignore" or split.upright is None:
        return split
    return dataclasses.replace(split, read=split.upright)


def evenly_spaced(split, number):
    """Evenly spaced examples: each class keeps its share, wherever it lies.

    Args:
        split: `Split`.
        number: int, how many; 0 for all.

    Returns:
        `Split` without blocks: its examples are read one by one.

    Raises:
        keras_resnet.UsageError: if there are fewer.
    """
    if not number:
        return split
    indices = order.evenly_spaced(split.name, split.num_examples, number)
    return select(split, indices)


def select(split, indices):
    """Some of the examples, in a given order.

    Args:
        split: `Split`.
        indices: int64 (n,), n >= 1.

    Returns:
        `Split` without blocks: its examples are read one by one.
    """
    places = host.on_host(indices, tf.int64)

    def among(read):
        return lambda index: read(tf.gather(places, index))

    return dataclasses.replace(
        split,
        num_examples=len(indices),
        read=among(split.read),
        upright=split.upright and among(split.upright),
        describe=lambda index: split.describe(int(indices[index])),
        labels=None if split.labels is None else split.labels[indices],
        blocks=None,
        pixels=None
        if split.pixels is None
        else host.gather(split.pixels, indices),
    )


def first_or(dataset, default):
    """The first element of a dataset, or of another if it is empty.

    Args:
        dataset: `tf.data.Dataset`, in a graph.
        default: `tf.data.Dataset` of the same element type, read only then.
    """
    return dataset.concatenate(default).take(1).get_single_element()


def checked(value, valid, *message):
    """`value`, or an error where it is not valid.

    Args:
        value: tensor.
        valid: bool scalar tensor.
        message: str, string and integer scalar tensors, joined by spaces.

    Returns:
        The tensor; reading it raises `tf.errors.InvalidArgumentError` with
        the message in one line: at once if eager, otherwise when a graph runs.
    """
    words = [
        part
        if isinstance(part, str) or part.dtype == tf.string
        else tf.strings.as_string(part)
        for part in message
    ]
    text = tf.strings.join(words, " ")
    if tf.executing_eagerly():
        if valid:
            return value
        # TensorFlow's own error would show the tensors instead of the text.
        text = text.numpy().decode(errors="replace")
        raise tf.errors.InvalidArgumentError(None, None, text)
    with tf.control_dependencies([tf.debugging.Assert(valid, [text])]):
        return tf.identity(value)


def checked_label(label, num_classes, index, name):
    """A label that a class has, or an error that names the example.

    Without the check, a GPU would silently turn a wrong label into NaN. For
    examples of one class each; no store reads several with an image.

    Args:
        label: integer scalar tensor, as the store has it.
        num_classes: int.
        index: int64 scalar tensor: of the example.
        name: of the split, for the message.

    Returns:
        int32 scalar tensor, checked to be in [0, num_classes).
    """
    valid = tf.logical_and(label >= 0, label < num_classes)
    what = f"is not in [0, {num_classes}), which {name} has; of example"
    label = checked(label, valid, "label", label, what, index)
    return tf.cast(label, tf.int32)
