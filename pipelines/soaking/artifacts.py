""".tflite, .onnx and SavedModel: an answer of the right shape, or one line."""

import pathlib

from soaking import mutations
from soaking import small
from soaking.verdict import check

NAMES = ("model.tflite",) * 6 + ("float32.tflite",) * 3 + ("model.onnx",) * 5
NAMES += ("saved_model",)  # which takes longest


def make(folder):
    """The small network in each format."""
    from keras_resnet.export.writers import onnx
    from keras_resnet.export.writers.saved_model import export_saved_model
    from keras_resnet.export.writers.tflite import export_tflite

    net = small.model()
    card = small.card()
    export_tflite(net, folder / "model.tflite", card=card)
    export_tflite(
        net, folder / "float32.tflite", card=card, precision="float32"
    )
    onnx.export_onnx(net, folder / "model.onnx", card=card)
    export_saved_model(net, folder / "saved_model", card=card)


def load(folder):
    """{name of an artifact: {name of a file of it: bytes}}."""
    return {
        root.name: {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in ([root] if root.is_file() else sorted(root.rglob("*")))
            if path.is_file()
        }
        for root in sorted(folder.iterdir())
    }


def mutate(corpus, rng):
    """{"artifact", "files", "what"}: one of its files changes."""
    artifact = rng.choice(NAMES)
    files = dict(corpus[artifact])
    name = rng.choice([*files, *[n for n in files if n.endswith(".pb")] * 3])
    files[name], how = mutations.mutated(files[name], rng)
    what = f"{how} of {name}"
    return {"artifact": artifact, "files": files, "what": what}


def judge(corpus, case, folder):
    """Opens it as predict does, and asks about three images."""
    del corpus
    import numpy as np

    from keras_resnet.errors import UsageError
    from keras_resnet.inference import runtime
    from keras_resnet.inference import tflite_metadata
    from keras_resnet.labels import cards

    for name, data in case["files"].items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    path = pathlib.Path(folder, case["artifact"])
    if path.suffix == ".tflite":
        try:
            tflite_metadata.find_card(path)
        except UsageError:
            pass  # its network may be whole
    predictor = runtime.load(path)
    cards.check_card(
        small.card(),
        path,
        num_classes=predictor.num_classes,
        image_size=predictor.image_size,
    )
    answer = predictor.predict(np.full((3, 16, 16, 3), 100, np.uint8))
    check(
        answer.dtype == np.float32 and answer.shape == (3, 10),
        f"answers {answer.dtype} {answer.shape}",
    )
