"""Hostile files, each read in a process with limits of memory and time.

`outcomes` runs each attack in a fork of one process that has imported the
readers: a fork costs 30 ms. A twin without the attack runs under the same
limits.
"""

import json
import os
import pathlib
import resource
import select
import struct
import tempfile
import time
import zipfile

MEGABYTES = 800  # of address space beside what TensorFlow reserves
SECONDS = 30  # on a busy machine; each takes less than one


def outcomes(folder):
    """{name of an attack or a twin: what it ended in, a line of text}."""
    import zygote

    done = zygote.run(__file__, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _run_all():
    import keras_resnet.data.datasets
    import keras_resnet.inference.tflite_metadata  # noqa: F401

    print(json.dumps({name: _run(name) for name in ATTACKS}))


def _run(name):
    ours, its = os.pipe()
    child = os.fork()
    if child == 0:
        _report(its, name)
    os.close(its)
    left = time.monotonic() + SECONDS
    text = b""
    while select.select([ours], [], [], max(left - time.monotonic(), 0))[0]:
        part = os.read(ours, 1 << 16)
        text += part
        if not part:
            break
    else:
        os.kill(child, 9)
    os.close(ours)
    _, status = os.waitpid(child, 0)
    return text.decode() or f"ended with {os.waitstatus_to_exitcode(status)}"


def _report(to, name):
    with tempfile.TemporaryDirectory() as folder:
        try:
            _limit(name)
            text = str(ATTACKS[name](pathlib.Path(folder)))
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
    os.write(to, text[:2000].encode())
    os._exit(0)


def _limit(name):
    import tensorflow as tf

    if name.partition(":")[0] in ("gif", "jpeg", "record"):
        tf.random.uniform((1,))  # starts TensorFlow: 0.2 s
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    limit = mapped + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _decoded(data):
    """What two readers make of an image: Python's words, then the graph's."""
    import tensorflow as tf

    from keras_resnet.data.pixels import decoding

    said = str(decoding.problem(data))
    try:
        return f"{said}; {decoding.decode(data).shape}"
    except tf.errors.OpError as error:
        return f"{said}; {decoding.reason(error)}"


def gif(screen, frames):
    """A GIF of frames that have no pixels."""
    blocks = [
        b"," + struct.pack("<HHHHB", 0, 0, *size, 0) + b"\2\1\x04\0"
        for size in frames
    ]
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0" + bytes(6)
    return head + b"".join(blocks) + b";"


def progressive(side, scans, head=b""):
    """A grey progressive JPEG, whose scans say that nothing changes.

    Args:
        side: pixels.
        scans: int, of a few bytes each.
        head: segments before the frame.
    """
    blocks = (-(-side // 8)) ** 2
    # A code of one bit means a run of 2**14 blocks; 14 zero bits add no more.
    bits = "000000000000000" * -(-blocks // 2**14)
    bits += "1" * (-len(bits) % 8)
    pixels = int(bits, 2).to_bytes(len(bits) // 8, "big")
    pixels = pixels.replace(b"\xff", b"\xff\0")
    one = bytes([1] + [0] * 15)
    return b"".join(
        [
            b"\xff\xd8",
            head,
            _segment(0xDB, b"\0" + bytes([1] * 64)),
            _segment(
                0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0"
            ),
            _segment(0xC4, b"\0" + one + b"\0"),
            _segment(0xC4, b"\x10" + one + b"\xe0"),
            _segment(0xDA, b"\1\1\0\0\0\0") + bytes(blocks // 8 + 1),
            (_segment(0xDA, b"\1\1\0\1\x3f\0") + pixels) * (scans - 1),
            b"\xff\xd9",
        ]
    )


def _segment(kind, data):
    return bytes((255, kind)) + struct.pack(">H", len(data) + 2) + data


def _windowed(data):
    import tensorflow as tf

    from keras_resnet.data.pixels import parts

    corner = tf.constant([0.0, 0.0, 8.0, 8.0])
    return parts.read(tf.constant(data), lambda size: corner, 8).shape


def _loaded(folder, write, dataset="tfrecord:{}", labels=b"a\nb\n"):
    """How many examples a data set of one file has."""
    from keras_resnet.data import datasets

    write(folder / "train-00000-of-00001")
    (folder / "labels.txt").write_bytes(labels)
    return datasets.load(dataset.format(folder), "train").num_examples


def _header(length):
    import numpy as np

    from keras_resnet.data.stores import records

    (crc,) = records.masked_crc(np.array([length], np.uint64))
    return struct.pack("<QI", length, crc)


def _record(length):
    """Writes a record that claims a length, in a file of that length."""

    def write(path):
        with open(path, "wb") as file:
            file.write(_header(length))
            file.truncate(length + 16)

    return write


def _example():
    import tensorflow as tf

    image = tf.train.Feature(bytes_list={"value": [b"x"]})
    label = tf.train.Feature(int64_list={"value": [1]})
    feature = {"image/encoded": image, "image/class/label": label}
    example = tf.train.Example(features={"feature": feature})
    return example.SerializeToString()


def _good_record(path):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(_example())


def _sparse(path):
    with open(path, "wb") as file:
        file.truncate(2**31)


def _card(folder, labels=b"a\nb\n", card=b'{"image_size":8,"eval_resize":8}'):
    from keras_resnet.labels import cards

    for name, content in (("labels.txt", labels), ("card.json", card)):
        if content is not None:
            (folder / name).write_bytes(content)
    return cards.load_card(folder).class_names


def _large_card(folder):
    _sparse(folder / "labels.txt")
    return _card(folder, None)


def _tflite(folder, labels, method):
    from keras_resnet.inference import tflite_metadata

    path = folder / "model.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with zipfile.ZipFile(path, "a", method) as archive:
        with archive.open("labels.txt", "w") as file:
            for part in labels:
                file.write(part)
        archive.writestr("card.json", '{"image_size":8,"eval_resize":8}')
    return tflite_metadata.read_metadata(path).class_names


def _table(folder, write):
    from keras_resnet.data import datasets

    write(folder / "all.csv")
    return datasets.load(f"csv:{folder}/all.csv", "train").num_examples


def _long_line(path):
    _sparse(path)
    with open(path, "r+b") as file:
        file.write(b"path,label\n")


def _manifest(folder, content):
    from keras_resnet.data.survey import manifest

    if content is None:
        os.mkfifo(folder / "manifest")
    else:
        (folder / "manifest").write_bytes(content)
    return len(list(manifest.read(folder / "manifest")))


def _export(folder, write):
    from keras_resnet.inference import artifact

    write(folder / "manifest.json")
    return artifact.read_manifest(folder)


_STORED, _LZMA = zipfile.ZIP_STORED, zipfile.ZIP_LZMA
_MANY_LABELS = [b"abcdefg\n" * 2**17] * 100
_FRAMES = [(20, 20)] + [(11_000, 11_000)] * 50

ATTACKS = {
    # Pixels.
    "gif: a frame larger than its screen": lambda _: _decoded(
        gif((20, 20), [(30_000, 30_000)])
    ),
    "gif: many large frames behind a small one": lambda _: _decoded(
        gif((20, 20), _FRAMES)
    ),
    "jpeg: 5,000 scans": lambda _: _decoded(progressive(11_500, 5_000)),
    "jpeg: 5,000 scans of a crop": lambda _: _windowed(
        progressive(11_500, 5_000)
    ),
    "jpeg: 30 scans": lambda _: _decoded(progressive(100, 30)),
    "jpeg: 5,000 scans that are a comment": lambda _: _decoded(
        progressive(100, 3, _segment(0xFE, b"\xff\xda" * 5_000))
    ),
    # Folders.
    "record: claims 3 GB": lambda d: _loaded(d, _record(3 << 30)),
    "record: claims 2**63 bytes": lambda d: _loaded(
        d, lambda path: path.write_bytes(_header(2**63 + 5))
    ),
    "record: a sparse file": lambda d: _loaded(d, _sparse),
    "record: a pipe": lambda d: _loaded(d, os.mkfifo),
    "record: a device": lambda d: _loaded(
        d, lambda path: path.symlink_to("/dev/zero")
    ),
    "record: a good one": lambda d: _loaded(d, _good_record),
    "record: labels of 48 MB": lambda d: _loaded(
        d, _good_record, labels=b"a\n" * (24 << 20)
    ),
    "card: labels of 2 GB": _large_card,
    "card: nested": lambda d: _card(d, card=b"[" * 10**6),
    "card: a good one": _card,
    "tflite: labels of 100 MB": lambda d: _tflite(d, _MANY_LABELS, 8),
    "tflite: labels by LZMA": lambda d: _tflite(d, [b"a\n"], _LZMA),
    "tflite: good labels": lambda d: _tflite(d, [b"a\nb\n"], _STORED),
    "table: a pipe": lambda d: _table(d, os.mkfifo),
    "table: a line of 2 GB": lambda d: _table(d, _long_line),
    "manifest: a pipe": lambda d: _manifest(d, None),
    "manifest: nested": lambda d: _manifest(d, b"[" * 10**6),
    "export: a manifest of 2 GB": lambda d: _export(d, _sparse),
}


if __name__ == "__main__":
    _run_all()
