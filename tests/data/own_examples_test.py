"""A program's own arrays, sources and splits are data sets with a name."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import sources
from keras_resnet.data.datasets import Split
from keras_resnet.errors import UsageError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 255, (20, 6, 5, 3), np.uint8)
LABELS = np.arange(20) % 2
SEVERAL = np.stack([LABELS, 1 - LABELS, np.arange(20) < 5], 1)


class Source:
    """A map-style data set: `of(index)` is the example."""

    def __init__(self, of, number=20):
        self.of, self.number, self.asked = of, number, []

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        self.asked.append(index)
        return self.of(index)


class Column(Source):
    """Like Hugging Face's: examples are dicts, and labels are a column."""

    class Names:
        names = ["dark", "light"]

    features = {"image": None, "label": Names}

    def __getitem__(self, key):
        if key == "label":
            return [int(label) for label in LABELS]
        return super().__getitem__(key)


def _png(i):
    file = io.BytesIO()
    Image.fromarray(PIXELS[i]).save(file, "PNG")
    return file.getvalue()


def _images(split):
    """uint8 (N, H, W, 3), read in a graph."""
    rows = tf.data.Dataset.range(split.num_examples).map(split.read)
    images = [image for image, _ in rows.as_numpy_iterator()]
    if isinstance(images[0], bytes):
        images = [tf.io.decode_png(image).numpy() for image in images]
    return np.stack(images)


GREY = np.repeat(PIXELS[..., :1], 3, axis=-1)
FILES = [_png(i) for i in range(20)]


@pytest.mark.parametrize(
    "images, expected",
    [
        (PIXELS, PIXELS),
        (PIXELS[..., 0], GREY),
        (PIXELS[..., :1], GREY),
        (FILES, PIXELS),
    ],
    ids=["RGB", "grey", "a channel", "files"],
)
def test_arrays_are_what_is_read(images, expected):
    for labels, several in ((LABELS, False), (SEVERAL, True)):
        split = Split.from_arrays(images, labels)
        np.testing.assert_array_equal(_images(split), expected)
        np.testing.assert_array_equal(split.labels, labels)
        np.testing.assert_array_equal(split.read(7)[1], labels[7])
        assert split.multi_label is several
        assert split.class_names == (("0", "1", "2") if several else ("0", "1"))


@pytest.mark.parametrize(
    "of, expected",
    [
        (lambda i: (PIXELS[i], LABELS[i]), PIXELS),
        (lambda i: (Image.fromarray(PIXELS[i]), int(LABELS[i])), PIXELS),
        (lambda i: {"image": PIXELS[i, ..., 0], "label": LABELS[i]}, GREY),
        (lambda i: (FILES[i], LABELS[i]), PIXELS),
        (lambda i: ({"bytes": FILES[i], "path": None}, LABELS[i]), PIXELS),
    ],
    ids=["array", "Pillow", "dict, grey", "file", "file in a dict"],
)
def test_a_source_is_what_is_read(of, expected):
    split = Split.from_source(Source(of), class_names=("a", "b"))
    np.testing.assert_array_equal(_images(split), expected)
    np.testing.assert_array_equal(split.labels, LABELS)
    assert split.class_names == ("a", "b")


def test_a_column_tells_labels_and_names_without_the_images():
    source = Column(lambda i: {"image": PIXELS[i], "label": LABELS[i]})
    split = Split.from_source(source)
    assert split.class_names == ("dark", "light")
    np.testing.assert_array_equal(split.labels, LABELS)
    assert set(source.asked) == {0}
    plain = Source(source.of)
    assert Split.from_source(plain).class_names == ("0", "1")
    assert set(plain.asked) == set(range(20))


def test_an_example_that_fails_later_is_an_image_that_cannot_be_read():
    broken = {}
    source = Source(lambda i: (broken.get(i, PIXELS[i]), 0))
    split = Split.from_source(source)
    assert bad_images.reason(split, 3) is None
    broken |= {3: PIXELS[3] / 255.0, 4: FILES[4]}
    assert "not float64 (6, 5, 3)" in bad_images.reason(split, 3)
    assert "files and pixels are mixed" in bad_images.reason(split, 4)
    with pytest.raises(tf.errors.OpError):
        _images(split)
    # Such an example is held out or trained on like any other.
    parts = split.hold_out(0.5)
    assert [part.num_examples for part in parts] == [10, 10]


def _held(data, **choices):
    name = sources.hold(data, **choices)
    return name, *(datasets.load(name, s) for s in ("train", "validation"))


def test_a_part_is_held_out_and_copies_stay_together():
    """Each image is there twice: a split by index alone would separate many."""
    data = np.concatenate([PIXELS, PIXELS]), np.tile(LABELS, 2)
    for one in (data, [*zip(*data)]):
        _, train, validation = _held(one, validation=0.3)
        sides = [{i.tobytes() for i in _images(s)} for s in (train, validation)]
        assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 20
        assert validation.num_examples == 12
        assert np.bincount(validation.labels).tolist() == [6, 6]
    whole = Split.from_arrays(*data)
    chosen = [
        tuple(whole.hold_out(0.3, seed)[1].labels.tolist())
        + tuple(_images(whole.hold_out(0.3, seed)[1]).ravel())
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize(
    "data",
    [
        ((PIXELS[:15], LABELS[:15]), (PIXELS[15:], LABELS[15:])),
        {"train": (PIXELS[:15], LABELS[:15]),
         "test": {"image": PIXELS[15:], "label": LABELS[15:]}},
        {"train": Source(lambda i: (PIXELS[i], LABELS[i]), 15),
         "val": Source(lambda i: (PIXELS[15 + i], LABELS[15 + i]), 5)},
        (Split.from_arrays(PIXELS[:15], LABELS[:15], class_names="ab"),
         Split.from_arrays(PIXELS[15:], LABELS[15:], class_names="ab")),
    ],
    ids=["load_data()", "mapping", "sources", "splits"],
)  # fmt: skip
def test_two_are_train_and_validation(data):
    _, train, validation = _held(data, class_names=("a", "b"))
    np.testing.assert_array_equal(_images(train), PIXELS[:15])
    np.testing.assert_array_equal(validation.labels, LABELS[15:])
    assert train.class_names == validation.class_names == ("a", "b")
    with pytest.raises(UsageError, match="Received: data for both"):
        sources.hold(data, validation=0.2)


def test_the_name_is_of_the_data_alone():
    names = {"images-" in sources.hold((PIXELS, LABELS)) for _ in range(2)}
    assert names == {True}
    plain = sources.hold((PIXELS, LABELS))
    assert plain == sources.hold({"image": PIXELS.copy(), "label": LABELS})
    other = PIXELS.copy()
    other[3, 0, 0, 0] ^= 1
    relabelled = LABELS.copy()
    relabelled[:2] = 1, 0
    others = [
        sources.hold((other, LABELS)),
        sources.hold((PIXELS, relabelled)),
        sources.hold((PIXELS, LABELS), class_names=("x", "y")),
        sources.hold((PIXELS, LABELS), validation=0.4),
        sources.hold([*zip(PIXELS, LABELS)][:-2]),
    ]
    assert len({plain, *others}) == 6
    with pytest.raises(UsageError, match="a Python program brought.*Start tha"):
        datasets.load("memory:images-0", "train")
    with pytest.raises(UsageError, match="Unknown split 'test'"):
        datasets.load(plain, "test")


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return PIXELS, LABELS


def _loader():
    import torch.utils.data

    return torch.utils.data.DataLoader([(0, 0)])


def _random(i):
    return RNG.integers(0, 255, (4, 4, 3), np.uint8), 0


@pytest.mark.parametrize(
    "data, message",
    [
        (lambda: tf.data.Dataset.range(3), "A tf.data.Dataset .* order of its"),
        (lambda: (i for i in range(3)), "A generator .*list.generator"),
        (_loader, "A DataLoader .* loader.dataset"),
        (lambda: Batches(), "A PyDataset gives batches"),
        (lambda: PIXELS, "Data are a folder, .*Received: numpy.ndarray"),
        (lambda: 3, "Received: builtins.int"),
        (lambda: Source(_random), "another image each time"),
        (lambda: [1, 2], "Example 0 of images must be .*cannot unpack"),
        (lambda: [("a.jpg", 0)], "Example 0 of images: an image must be of"),
        (lambda: [(Image.new("I;16", (2, 2)), 0)], "pixels of the mode I;16"),
        (lambda: [], "images is empty"),
        (lambda: (PIXELS / 255.0, LABELS), "as uint8.* Received: float64"),
        (lambda: (PIXELS.transpose(0, 3, 1, 2), LABELS), "shape .N, H, W, 3"),
        (lambda: (PIXELS[:5], LABELS), "Received: 5 images and 20 labels"),
        (lambda: ([PIXELS[0], PIXELS[0, 1:]], [0, 1]), "of several sizes"),
        (lambda: (PIXELS, LABELS - 1), "outside. Received: of example 0 -1"),
        (lambda: (PIXELS, LABELS[:, None]), "Of a column pass labels"),
        (lambda: (PIXELS, LABELS / 1), "integers as labels.*float64"),
        (lambda: (PIXELS, 2 * SEVERAL), "labels of 0 and 1"),
        (lambda: [(PIXELS[0], "cat")], "integers as labels"),
        (lambda: [(PIXELS[0], [0, 1]), (PIXELS[1], [1])], "integers as label"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(data, message):
    with pytest.raises(UsageError, match=message) as caught:
        sources.hold(data())
    assert "\n" not in str(caught.value)


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="has labels in .0, 1"):
        sources.hold((PIXELS, LABELS), class_names=("a",))
    with pytest.raises(UsageError, match="3 labels an example. Received: 2"):
        sources.hold((PIXELS, SEVERAL), class_names=("a", "b"))
    named = Split.from_arrays(PIXELS, LABELS)
    with pytest.raises(UsageError, match="names= are not those of images"):
        sources.hold(named, class_names=("a", "b"))
    unknown = Split(
        name="x", class_names=("a",), num_examples=1, read=None, describe=None
    )
    with pytest.raises(UsageError, match="labels of x are not known"):
        sources.hold(unknown)
