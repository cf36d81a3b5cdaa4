"""What the lines of the README read: pictures, and a repository of the hub.

    python tests/support/readme_files.py FOLDER

Needs only what setup.py requires.
"""

import hashlib
import json
import pathlib
import sys

HUB = "hub"  # the hub's cache, in the folder

_REPOSITORY = "models--timm--resnet18.a1_in1k"
_COMMIT = "0" * 40
# Files that a repository of timm's does not have.
_ABSENT = (
    "card.json",
    "labels.txt",
    "model.keras",
    "model.weights.h5",
    "preprocessor_config.json",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "task.weights.h5",
)
_CLASSES = ("cat", "dog")
_CONFIG = {
    "architecture": "resnet18",
    "num_classes": len(_CLASSES),
    "model_args": {"layers": [1, 1, 1, 1], "channels": [64, 8, 8, 16]},
    "label_names": _CLASSES,
    "pretrained_cfg": {
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "input_size": [3, 32, 32],
        "crop_pct": 0.95,
        "interpolation": "bicubic",
    },
}


def make_photographs(folder):
    """Files of two colours, named like the documents' photographs."""
    from PIL import Image

    columns = {"train": range(0, 331, 110), "validation": range(430, 541, 20)}
    for name, color in {"china": "#3060a0", "flower": "#a05030"}.items():
        for split, xs in columns.items():
            place = folder / split / name
            place.mkdir(parents=True)
            for x in xs:
                for y in range(0, 331, 30):
                    image = Image.new("RGB", (96, 96), color)
                    image.putpixel((x % 96, y % 96), (x % 256, y % 256, 0))
                    image.save(place / f"{x}_{y}.png")


def make_photos(folder):
    """photos/CLASS/N.png of 32 pixels, and cat.jpg."""
    from PIL import Image

    for name in _CLASSES:
        place = folder / "photos" / name
        place.mkdir(parents=True)
        for number in range(10):
            noise = Image.effect_noise((32, 32), 90).convert("RGB")
            noise.save(place / f"{number}.png")
    noise.resize((80, 60)).save(folder / "cat.jpg")


def make_hub(folder):
    """A cache of the hub with the README's repository.

    It holds a small network in the form of timm's, with random weights.

    Returns:
        {environment variable: value} that leads to the cache.
    """
    import keras_resnet

    place = folder / HUB / _REPOSITORY
    snapshot, absent = place / "snapshots" / _COMMIT, place / ".no_exist"
    for made in (place / "refs", place / "blobs", snapshot, absent / _COMMIT):
        made.mkdir(parents=True)
    (place / "refs" / "main").write_text(_COMMIT)
    for name in _ABSENT:
        (absent / _COMMIT / name).touch()
    model = keras_resnet.build(
        "resnet18",
        depths=_CONFIG["model_args"]["layers"],
        filters=_CONFIG["model_args"]["channels"],
        classes=len(_CLASSES),
        weights=None,
        input_shape=(32, 32, 3),
    )
    written = folder / HUB / "written.safetensors"
    keras_resnet.save_weights(model, written, layout="torchvision")
    _keep(snapshot, "model.safetensors", written.read_bytes())
    _keep(snapshot, "config.json", json.dumps(_CONFIG).encode())
    return settings(folder)


def settings(folder):
    """{environment variable: value} that leads to the cache."""
    return {"HF_HUB_CACHE": str(folder / HUB), "HF_HUB_OFFLINE": "1"}


def _keep(snapshot, name, content):
    """Keeps a file as the hub's library does: as a link to its digest."""
    digest = hashlib.sha256(content).hexdigest()
    (snapshot.parents[1] / "blobs" / digest).write_bytes(content)
    (snapshot / name).symlink_to(pathlib.Path("../../blobs", digest))


if __name__ == "__main__":
    make_photos(pathlib.Path(sys.argv[1]))
    make_hub(pathlib.Path(sys.argv[1]))
