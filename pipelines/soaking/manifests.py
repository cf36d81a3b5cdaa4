"""Manifests of exports and of data sets: any changed byte is found."""

import hashlib
import json
import pathlib

from soaking import mutations
from soaking import small
from soaking.verdict import check

EXPORT, DATA = "export", "data"


def make(folder):
    """An export, and a folder of images with its manifest."""
    from keras_resnet.export import pipeline
    from keras_resnet.export.verification import isolated

    net = small.model()
    card = small.card()
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
    for index, png in enumerate(small.pictures(6)):
        path = folder / DATA / "train" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
    _describe(folder / DATA, folder / DATA / "manifest.jsonl")


def _describe(root, path):
    from keras_resnet.data import datasets
    from keras_resnet.data.survey import manifest

    split = datasets.load(f"folder:{root}", "train")
    writer = manifest.Writer(path, dataset="x", class_names=split.class_names)
    for record in manifest.records("train", split):
        writer.add(record)
    writer.close()


def load(folder):
    """{"export" or "data": {name: bytes of the file}}."""
    return {
        kind: {
            path.relative_to(folder / kind).as_posix(): path.read_bytes()
            for path in sorted((folder / kind).rglob("*"))
            if path.is_file()
        }
        for kind in (EXPORT, DATA)
    }


def mutate(corpus, rng):
    """{"kind", "files", "what"}: a file changes, goes, comes or moves."""
    kind = rng.choice((EXPORT, EXPORT, DATA))
    files = dict(corpus[kind])
    manifests = [name for name in files if name.startswith("manifest.json")]
    name = rng.choice([*files, *manifests * 3])
    how = rng.random()
    if name in manifests:
        what = _change_manifest(files, name, rng)
    elif how < 0.1:
        what = "deletion"
        del files[name]
    elif how < 0.2:
        what = "exchange"
        other = rng.choice([n for n in files if n not in manifests])
        files[name], files[other] = files[other], files[name]
    else:
        files[name], what = mutations.mutated(files[name], rng)
    return {"kind": kind, "files": files, "what": f"{what} of {kind}/{name}"}


def _change_manifest(files, name, rng):
    lines = files[name].decode().splitlines(keepends=True)
    if name.endswith(".jsonl"):
        at = rng.choice((0, rng.randrange(len(lines))))
        text, how = mutations.mutated_json(lines[at], rng)
        lines[at] = text.replace("\n", "") + "\n"
        text, how = "".join(lines), f"line {at}: {how}"
    else:
        text, how = mutations.mutated_json("".join(lines), rng)
    files[name] = text.encode("utf-8", "surrogateescape")
    return how


def judge(corpus, case, folder):
    """Verifies the folder, and compares with the sums of the case's files."""
    for name, data in case["files"].items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if case["kind"] == EXPORT:
        _judge_export(case["files"], folder)
    else:
        _judge_data(corpus[DATA], case["files"], folder)


def _judge_export(files, folder):
    from keras_resnet.export.verification import verify

    count = verify.check_files(folder)
    # Manifests of earlier versions list no files, or no sha256 of some.
    listed = json.loads(files["manifest.json"]).get("files") or {}
    check(count >= len(listed), f"{count} files of {len(listed)}")
    for name, digest in listed.items():
        there = hashlib.sha256(files.get(name, b"")).hexdigest()
        check(digest in (None, there), f"{name} was changed and passes")


def _judge_data(originals, files, folder):
    from keras_resnet.data import datasets
    from keras_resnet.data.survey import manifest

    split = datasets.load(f"folder:{folder}", "train")
    comparison = manifest.Comparison(
        pathlib.Path(folder, "manifest.jsonl"),
        class_names=split.class_names,
        splits=("train",),
    )
    for record in manifest.records("train", split):
        comparison.add(record)
    found = {name for _, name in comparison.changed + comparison.missing}
    for name, data in originals.items():
        if name != "manifest.jsonl" and files.get(name) != data:
            short = name.removeprefix("train/")
            check(short in found, f"{short} was changed and passes")
