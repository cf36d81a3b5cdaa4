"""TFRecord files: random access by an index, and no damage goes unnoticed."""

import dataclasses
import functools
import threading

import numpy as np
import pytest
import tensorflow as tf
from photographs import encoded
from sklearn.datasets import load_digits

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data import bad_images
from keras_resnet.data import datasets
from keras_resnet.data import pipeline
from keras_resnet.data.examples import graphs
from keras_resnet.data.stores import reading
from keras_resnet.data.stores import records as records_lib
from keras_resnet.data.stores import tfrecord
from keras_resnet.labels import cards

DIGITS = load_digits()


@functools.cache
def _png(index):
    pixels = (DIGITS.images[index] * 15).astype(np.uint8)
    return encoded(np.repeat(pixels[..., np.newaxis], 3, -1), "PNG")


def _example(label, png, synset=b""):
    def feature(*values):
        if isinstance(values[0], int):
            return tf.train.Feature(int64_list={"value": values})
        return tf.train.Feature(bytes_list={"value": values})

    features = {
        "image/encoded": feature(png),
        "image/class/label": feature(int(label)),
        "image/class/synset": feature(synset),
        "image/class/text": feature(b"a digit"),
        "image/filename": feature(b"digit.png"),
        "image/format": feature(b"PNG"),
    }
    return tf.train.Example(features={"feature": features}).SerializeToString()


def _write(folder, name, records):
    folder.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for record in records:
            writer.write(record)
    return folder / name


@pytest.fixture
def shards(tmp_path):
    """60 digits in 4 shards, labels from 1, and 10 for validation."""
    for shard in range(4):
        numbers = range(15 * shard, 15 * shard + 15)
        examples = [_example(DIGITS.target[i] + 1, _png(i)) for i in numbers]
        _write(tmp_path, f"train-{shard:05d}-of-00004", examples)
    examples = [_example(DIGITS.target[i] + 1, _png(i)) for i in range(60, 70)]
    _write(tmp_path, "validation-00000-of-00001", examples)
    names = [f"{i + 1}:{i}" for i in range(10)]
    (tmp_path / "labels.txt").write_text("0:background\n" + "\n".join(names))
    return tmp_path


def _read_all(split, read):
    dataset = tf.data.Dataset.range(split.num_examples)
    return dataset.map(graphs.as_written(read)).as_numpy_iterator()


@pytest.mark.parametrize(
    "scheme, pattern", [("", ""), ("file://", "/{split}-*")]
)
def test_every_record_is_read_at_its_index(shards, pattern, scheme):
    split = datasets.load(f"tfrecord:{scheme}{shards}{pattern}", "train")
    assert split.class_names == ("background", *"0123456789")
    assert split.num_examples == 60
    assert split.describe(17) == f"record 2 of {scheme}{shards}/{_name(1)}"
    for read in (split.read, split.blocks.reader(2)):
        found = list(_read_all(split, read))
        assert [encoded for encoded, _ in found] == [*map(_png, range(60))]
        labels = [label - 1 for _, label in found]
        np.testing.assert_array_equal(labels, DIGITS.target[:60])


def _name(shard):
    return f"train-{shard:05d}-of-00004"


def test_the_index_is_that_of_tensorflows_writer(tmp_path):
    # Each length has a CRC, which the index compares.
    records = [b"x" * n for n in (0, 1, 255, 256, 65_537, 1_000_003)]
    paths = [_write(tmp_path, name, records) for name in "ab"]
    found = records_lib.find([(str(path), 0, None) for path in paths])
    assert found.files.tolist() == [0] * 6 + [1] * 6
    assert found.numbers.tolist() == [*range(6), *range(6)]
    assert found.sizes.tolist() == [len(r) + 16 for r in records] * 2
    for file, offset, record in zip(
        found.files, found.offsets, records * 2, strict=True
    ):
        data = paths[file].read_bytes()
        assert data[offset + 12 : offset + 12 + len(record)] == record


def test_pieces_of_a_file_keep_their_place(shards):
    path = str(shards / _name(0))
    whole = records_lib.find([(path, 0, None)])
    part = records_lib.find([(path, 3, 4), (path, 10, 1)])
    np.testing.assert_array_equal(part.numbers, [3, 4, 5, 6, 10])
    np.testing.assert_array_equal(part.offsets, whole.offsets[part.numbers])
    assert list(reading.block_starts(part)) == [0, 4, 5]
    with pytest.raises(errors.UsageError, match="15 records where .* 16"):
        records_lib.find([(path, 10, 6)])


@pytest.mark.parametrize(
    "place, by_block",
    [("first of data", True), ("last of data", False), ("crc", True)],
)
def test_one_flipped_bit_is_an_error_that_names_shard_and_record(
    shards, place, by_block
):
    split = datasets.load(f"tfrecord:{shards}", "train")
    records = records_lib.find([(str(shards / _name(1)), 0, None)])
    start, size = int(records.offsets[4]), int(records.sizes[4])
    position = {"first of data": 12, "last of data": size - 5, "crc": size - 1}
    path = shards / _name(1)
    data = bytearray(path.read_bytes())

    def read(index):
        function = split.blocks.reader(1) if by_block else split.read
        dataset = tf.data.Dataset.from_tensors(np.int64(index))
        dataset = dataset.map(graphs.as_written(function))
        return next(dataset.as_numpy_iterator())

    before = read(19)
    data[start + position[place]] ^= 1
    path.write_bytes(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=_name(1)) as info:
        read(19)
    assert "record 4 of" in info.value.message
    error = bad_images.blame(split, range(16, 21), info.value)
    assert str(error).startswith(
        f"Cannot read record 4 of {path}: damaged or not readable: record 4 "
        f"of {path}. Remove or replace it"
    )
    # Its neighbours in the block are still readable.
    for index in (18, 20):
        assert read(index)[1] == DIGITS.target[index] + 1
    data[start + position[place]] ^= 1
    path.write_bytes(data)
    np.testing.assert_equal(read(19), before)


def test_a_flipped_bit_of_a_header_is_refused_at_once(shards):
    path = shards / _name(2)
    start = int(records_lib.find([(str(path), 0, None)]).offsets[7])
    whole = path.read_bytes()
    for position in range(start, start + 12):
        data = bytearray(whole)
        data[position] ^= 4
        path.write_bytes(data)
        with pytest.raises(errors.UsageError, match="record 7 of .*00002-of"):
            datasets.load(f"tfrecord:{shards}", "train")


def test_a_file_cut_anywhere_within_a_record_is_refused(tmp_path):
    path = _write(tmp_path, "cut", [b"first", b"second"])
    data = path.read_bytes()
    boundaries = {0: 0, 5 + 16: 1, len(data): 2}
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        if size in boundaries:
            found = records_lib.find([(str(path), 0, None)])
            assert len(found.sizes) == boundaries[size]
            continue
        with pytest.raises(errors.UsageError, match="cut is cut off"):
            records_lib.find([(str(path), 0, None)])


def test_a_file_that_is_no_tfrecord_file_is_refused(tmp_path):
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    path = str(tmp_path / "train-gzip")
    with tf.io.TFRecordWriter(path, options) as writer:
        writer.write(b"x" * 100)
    with pytest.raises(errors.UsageError, match="not an uncompressed TFRecord"):
        datasets.load(f"tfrecord:{tmp_path}", "train")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: (f / _name(2)).unlink(), "1 are missing: 2"),
        (
            lambda f: (f / _name(2)).rename(f / "train-00002-of-00005"),
            r"mixes shards of \[4, 5\]",
        ),
        (
            lambda f: [p.unlink() for p in f.glob("train-*")],
            "no file .*train-\\*",
        ),
        (
            lambda f: [_write(f, p.name, []) for p in f.glob("train-*")],
            "is empty",
        ),
        (lambda f: (f / "labels.txt").write_text("2:a\n4:b"), "ascend by 1"),
        (lambda f: (f / "labels.txt").write_text("\n"), "is empty"),
        (lambda f: (f / "labels.txt").unlink(), "the label 1 and .* ''"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(shards, change, message):
    change(shards)
    with pytest.raises(errors.UsageError, match=message):
        datasets.load(f"tfrecord:{shards}", "train")


def test_a_pattern_must_tell_the_splits_apart(shards):
    with pytest.raises(errors.UsageError, match="a pattern with {split} in it"):
        datasets.load(f"tfrecord:{shards}/train-*", "train")


def _imagenet(tmp_path, labels, synsets=None):
    classes = cards.imagenet_classes()
    synsets = synsets or [classes[label - 1][0] for label in labels]
    examples = [
        _example(label, _png(0), synset.encode())
        for label, synset in zip(labels, synsets, strict=True)
    ]
    _write(tmp_path, "train-00000-of-00001", examples)
    return datasets.load(f"tfrecord:{tmp_path}", "train")


def test_without_names_labels_are_imagenets_from_1(tmp_path):
    split = _imagenet(tmp_path, [1, 1000, 208])
    assert len(split.class_names) == 1000
    assert split.class_names[:2] == ("n01440764", "n01443537")
    labels = [int(split.read(tf.constant(i, tf.int64))[1]) for i in range(3)]
    assert labels == [0, 999, 207]


@pytest.mark.parametrize(
    "label, synset", [(2, "n01440764"), (0, "n01440764"), (1001, "n15075141")]
)
def test_labels_that_are_not_imagenets_are_refused(tmp_path, label, synset):
    with pytest.raises(errors.UsageError, match="LABEL:NAME"):
        _imagenet(tmp_path, [label], [synset])


def test_a_label_out_of_range_names_its_record(tmp_path):
    wrong = [0, 1001, -1, 1 << 40]
    split = _imagenet(tmp_path, [1, *wrong], 5 * ["n01440764"])
    for read in (split.read, split.blocks.reader(1)):
        found = _read_all(split, read)
        assert next(found)[1] == 0
        for number, label in enumerate(wrong, start=1):
            with pytest.raises(tf.errors.InvalidArgumentError) as info:
                next(found)
            error = bad_images.blame(split, [0, number], info.value)
            assert f"record {number} of" in str(error)
            assert f"label {label - 1} is not in [0, 1000)" in str(error)


@pytest.mark.parametrize("names", ["", "cat\ndog\n"])
def test_a_record_of_other_fields_is_refused(tmp_path, names):
    if names:
        (tmp_path / "labels.txt").write_text(names)
    _write(tmp_path, "train-0", [tf.train.Example().SerializeToString()])
    with pytest.raises(errors.UsageError, match="record 0 of .*image/encoded"):
        datasets.load(f"tfrecord:{tmp_path}", "train")


def _batches(split, first_step=0, **changes):
    """Two epochs of the 60 digits, from a step on; a pixel tells the file."""
    recipe = dataclasses.replace(
        recipes.RECIPES["digits"],
        batch_size=10,
        steps=12,
        image_size=1,
        eval_resize=1,
        augmentation="none",
        **changes,
    )

    def hashed(read):
        def read_hash(index):
            encoded, label = read(index)
            number = tf.strings.to_hash_bucket_fast(encoded, 256)
            return tf.fill((1, 1, 3), tf.cast(number, tf.uint8)), label

        return read_hash

    of_blocks = split.blocks.reader
    blocks = dataclasses.replace(
        split.blocks, reader=lambda n: hashed(of_blocks(n))
    )
    split = dataclasses.replace(split, read=hashed(split.read), blocks=blocks)
    dataset = pipeline.train_dataset(
        split, recipe, fill=(0.0,) * 3, first_step=first_step
    )
    return list(dataset.as_numpy_iterator())


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 3 or 4 records, and a count of the reads of each."""
    count, read = {}, reading.read_block
    lock = threading.Lock()

    def counted(records, first, last):
        with lock:
            count[int(first)] = count.get(int(first), 0) + 1
        return read(records, first, last)

    monkeypatch.setattr(reading, "BLOCK_BYTES", 1_200)
    monkeypatch.setattr(reading, "read_block", counted)
    return count


def test_blocks_are_neighbours_of_one_file(shards, small_blocks):
    split = datasets.load(f"tfrecord:{shards}", "train")
    starts = split.blocks.starts
    assert starts[0] == 0 and starts[-1] == 60
    assert np.all(np.diff(starts) > 0)
    assert 2 <= np.median(np.diff(starts)) <= 8
    assert {0, 15, 30, 45} <= set(starts)  # no block spans two files


def test_a_block_is_read_once_an_epoch(shards, small_blocks):
    split = datasets.load(f"tfrecord:{shards}", "train")
    batches = _batches(split, shuffle="blocks", shuffle_blocks=3)
    num_blocks = len(split.blocks.starts) - 1
    assert set(small_blocks) == set(split.blocks.starts[:-1])
    # Two epochs: the last window of the first may be kept for the second.
    assert num_blocks < sum(small_blocks.values()) <= 2 * num_blocks
    labels = np.sort(np.concatenate([batch["label"] for batch in batches]))
    expected = np.sort(np.repeat(DIGITS.target[:60] + 1, 2))
    np.testing.assert_array_equal(labels, expected)


def test_only_the_order_of_blocks_spares_reads(shards, small_blocks):
    split = datasets.load(f"tfrecord:{shards}", "train")
    _batches(split)
    assert not small_blocks  # the uniform order reads single records
    # Negative control: blocks in the uniform order are read again and again.
    read = split.blocks.reader(6)
    for index in np.random.default_rng(0).permutation(60):
        _, label = read(tf.constant(index, tf.int64))
        assert int(label) == DIGITS.target[index] + 1
    assert sum(small_blocks.values()) > 1.5 * len(small_blocks)


def test_starting_later_gives_the_same_blocks_from_there_on(
    shards, small_blocks
):
    split = datasets.load(f"tfrecord:{shards}", "train")
    fields = {"shuffle": "blocks", "shuffle_blocks": 3}
    whole, later = _batches(split, **fields), _batches(split, 7, **fields)
    assert len(later) == 5
    for a, b in zip(whole[7:], later, strict=True):
        np.testing.assert_array_equal(a["image"], b["image"])
        np.testing.assert_array_equal(a["label"], b["label"])


def test_threads_that_want_one_block_wait_for_one_read():
    loads, go = [], threading.Event()

    def load(key):
        go.wait()
        loads.append(key)
        return key * 10

    recent = reading._Recent(load, 2)
    found = []
    threads = [
        threading.Thread(target=lambda k=k: found.append(recent.get(k)))
        for k in [1, 2] * 20
    ]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
    assert sorted(loads) == [1, 2]
    assert sorted(found) == [10] * 20 + [20] * 20
    # The most recently used block stays.
    recent.get(1)
    recent.get(3)
    recent.get(1)
    assert sorted(loads) == [1, 2, 3]
    recent.get(2)
    assert sorted(loads) == [1, 2, 2, 3]


def test_parse_labels_numbers_lines_or_reads_their_numbers():
    assert tfrecord.parse_labels(b"cat\ndog\n", "x") == (("cat", "dog"), 0)
    assert tfrecord.parse_labels(b"1:cat\n2: dog", "x") == (("cat", "dog"), 1)
    # A name with a colon is a name.
    assert tfrecord.parse_labels(b"a:b\n2:c", "x") == (("a:b", "2:c"), 0)
