"""Manifests of exports and of data sets: any changed byte is found."""

import hashlib
import json

from soaking import mutations
from soaking import whole
from soaking.verdict import check

EXPORT, DATA = "export", "data"


def make(folder):
    """An export, and a folder of images with its manifest."""
    from keras_resnet.export import pipeline
    from keras_resnet.export.verification import isolated

    net, card = whole.network(), whole.card()
    images, labels = pipeline.read_images(pipeline.split_of(card), 6)
    pipeline.export_all(
        net,
        folder / EXPORT,
        card=card,
        formats=("saved_model", "tflite", "onnx"),
        images=images,
        labels=labels,
        predict=isolated.predict,
    )
    pictures = enumerate(whole.pictures(6))
    names = {f"train/{'ab'[i % 2]}/{i}.png": png for i, png in pictures}
    whole.write(folder / DATA, names)
    _write_manifest(folder / DATA)


def _write_manifest(root):
    from keras_resnet.data import datasets
    from keras_resnet.data.survey import manifest

    split = datasets.load(f"folder:{root}", "train")
    path, names = root / "manifest.jsonl", split.class_names
    writer = manifest.Writer(path, dataset="x", class_names=names)
    for record in manifest.records("train", split):
        writer.add(record)
    writer.close()


def load(folder):
    """{"export" or "data": {name: bytes of the file}}."""
    return {kind: whole.read(folder / kind) for kind in (EXPORT, DATA)}


def mutate(corpus, rng):
    """{"kind", "files", "what"}: a file changes, goes or moves."""
    kind = rng.choice((EXPORT, EXPORT, DATA))
    its = dict(corpus[kind])
    manifests = [name for name in its if name.startswith("manifest.json")]
    name, how = rng.choice([*its, *manifests * 3]), rng.random()
    if name.endswith(".jsonl"):
        its[name], what = _mutated_line(its[name], rng)
    elif name in manifests:
        its[name], what = mutations.mutated_json(its[name], rng)
    elif how < 0.1:
        what = "deletion"
        del its[name]
    elif how < 0.2:
        what = "exchange"
        other = rng.choice([n for n in its if n not in manifests])
        its[name], its[other] = its[other], its[name]
    else:
        its[name], what = mutations.mutated(its[name], rng)
    return {"kind": kind, "files": its, "what": f"{what} of {kind}/{name}"}


def _mutated_line(data, rng):
    lines = data.splitlines()
    at = rng.choice((0, rng.randrange(len(lines))))
    line, how = mutations.mutated_json(lines[at], rng)
    lines[at] = line.replace(b"\n", b"")
    return b"\n".join([*lines, b""]), f"line {at}: {how}"


def judge(corpus, case, folder):
    """Verifies the folder, and compares with the sums of the case's files."""
    if case["kind"] == EXPORT:
        _judge_export(case["files"], folder)
    else:
        _judge_data(corpus[DATA], case["files"], folder)


def _judge_export(its, folder):
    from keras_resnet.export.verification import verify

    count = verify.check_files(folder)
    # Manifests of earlier versions list no files, or lack the sha256 of some.
    listed = json.loads(its["manifest.json"]).get("files") or {}
    check(count >= len(listed), f"{count} files of {len(listed)}")
    for name, digest in listed.items():
        there = hashlib.sha256(its.get(name, b"")).hexdigest()
        check(digest in (None, there), f"{name} was changed and passes")


def _judge_data(originals, its, folder):
    from keras_resnet.data import datasets
    from keras_resnet.data.survey import manifest

    split = datasets.load(f"folder:{folder}", "train")
    path, names = folder / "manifest.jsonl", split.class_names
    comparison = manifest.Comparison(path, class_names=names, splits=("train",))
    for record in manifest.records("train", split):
        comparison.add(record)
    found = {name for _, name in comparison.changed + comparison.missing}
    for name, data in originals.items():
        if name != "manifest.jsonl" and its.get(name) != data:
            short = name.removeprefix("train/")
            check(short in found, f"{short} was changed and passes")
