"""TFRecord files: the CRC finds every changed byte."""

from soaking import mutations
from soaking import whole
from soaking.verdict import check

RECORDS, SHARDS = 6, 2
MASKED_SHARE = 0.03  # of the cases; each takes a second


def make(folder):
    """Two shards of a few examples each, labels from 0."""
    import tensorflow as tf

    records = []
    for index, png in enumerate(whole.pictures(RECORDS * SHARDS)):
        label = tf.train.Feature(int64_list={"value": [index % 3]})
        image = tf.train.Feature(bytes_list={"value": [png]})
        fields = {"image/encoded": image, "image/class/label": label}
        records.append(tf.train.Example(features={"feature": fields}))
    for shard in range(SHARDS):
        path = folder / f"train-{shard:05d}-of-{SHARDS:05d}"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records[shard * RECORDS :][:RECORDS]:
                writer.write(record.SerializeToString())
    (folder / "labels.txt").write_text("a\nb\nc\n")


load = whole.read


def mutate(corpus, rng):
    """{"files", "masked", "what"}: one shard is changed."""
    name = rng.choice([n for n in corpus if n.startswith("train")])
    # Whole records, which no CRC can miss.
    whole_ones = rng.random() < 0.2
    change = _records_changed if whole_ones else mutations.mutated
    data, how = change(corpus[name], rng)
    return {
        "files": {**corpus, name: data},
        "masked": rng.random() < MASKED_SHARE,
        "what": f"{how} of {name}",
    }


def _records_changed(data, rng):
    parts = [data[start:end] for start, end, _ in frames(data)]
    how = rng.choice(("drop", "repeat", "swap", "claim"))
    at = rng.randrange(len(parts) - 1)
    one, two = parts[at : at + 2]
    length = rng.choice((0, 2**29, 3 << 30, 2**63, 2**64 - 17)).to_bytes(
        8, "little"
    )
    made = {
        "drop": [two],
        "repeat": [one, one, two],
        "swap": [two, one],
        "claim": [length + _crc(length) + one[12:], two],
    }[how]
    parts[at : at + 2] = made
    return b"".join(parts), f"{how} of record {at}"


def judge(corpus, case, folder):
    """Every example is the file's, or an error where its CRC is wrong."""
    del corpus
    import tensorflow as tf

    from keras_resnet.data import datasets

    split = datasets.load(f"tfrecord:{folder}", "train")
    there = [
        data[start + 12 : end - 4] if intact else None
        for name, data in sorted(case["files"].items())
        if name.startswith("train")
        for start, end, intact in frames(data)
    ]
    count = split.num_examples
    check(count == len(there), f"{count} examples of {len(there)} records")
    if case["masked"]:
        return _judge_masks(split, there)
    for index, record in enumerate(there):
        try:
            image, label = split.read(tf.constant(index, tf.int64))
            given = image.numpy(), int(label)
        except tf.errors.InvalidArgumentError:
            given = None
        same = given == expected(record)
        check(same, f"record {index} of {len(there)} is not the file's")


def _judge_masks(split, there):
    """Exactly what is damaged is masked, and the others keep their places."""
    from keras_resnet.data import bad_images
    from keras_resnet.data import pipeline
    from keras_resnet.data.pixels import decoding
    from keras_resnet.labels.view import View

    masked = bad_images.MaskedImages(split, len(there))
    view = View(resize=8, crop=8)
    dataset = pipeline.eval_dataset(split, view, batch_size=1, masked=masked)
    weights = [float(batch["weight"][0]) for batch in dataset]
    examples = [expected(record) for record in there]
    good = [bool(e) and decoding.problem(e[0]) is None for e in examples]
    check(weights == list(map(float, good)), f"weights {weights} of {good}")
    found = [index for index, g in enumerate(good) if not g]
    check(list(masked.reasons) == found, f"masked {list(masked.reasons)}")


def expected(record):
    """(image file, label) of a whole record of ours; None if it is none."""
    import tensorflow as tf

    if record is None:
        return None
    try:
        fields = tf.train.Example.FromString(record).features.feature
        image = fields["image/encoded"].bytes_list.value[0]
        label = fields["image/class/label"].int64_list.value[0]
    except Exception:  # protobuf's own; not an example with both
        return None
    return (image, label) if 0 <= label < 3 else None


def frames(data):
    """(start, end, whether both CRCs are right) of each record."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        end = at + 16 + size
        intact = _crc(data[at : at + 8]) == data[at + 8 : at + 12]
        intact &= end <= len(data)
        intact &= _crc(data[at + 12 : end - 4]) == data[end - 4 : end]
        yield at, end, intact
        at = end


def _of_byte(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = list(map(_of_byte, range(256)))


def _crc(data):
    """The masked CRC-32C of TensorFlow's record format, by hand."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    rotated = (crc >> 15 | crc << 17) & 0xFFFFFFFF
    return ((rotated + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")
