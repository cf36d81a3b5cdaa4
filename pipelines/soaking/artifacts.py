""".tflite, .onnx and SavedModel: an answer of the right shape, or one line."""

from soaking import mutations
from soaking import whole
from soaking.verdict import check

NAMES = ("model.tflite",) * 6 + ("float32.tflite",) * 3 + ("model.onnx",) * 5
NAMES += ("saved_model",)  # which takes longest


def make(folder):
    """The small network in each format."""
    from keras_resnet.export.writers import onnx
    from keras_resnet.export.writers.saved_model import export_saved_model
    from keras_resnet.export.writers.tflite import export_tflite

    net, card = whole.network(), whole.card()
    export_tflite(net, folder / "model.tflite", card=card)
    precise = folder / "float32.tflite"
    export_tflite(net, precise, card=card, precision="float32")
    onnx.export_onnx(net, folder / "model.onnx", card=card)
    export_saved_model(net, folder / "saved_model", card=card)


load = whole.read


def mutate(corpus, rng):
    """{"artifact", "files", "what"}: one of its files changes."""
    artifact = rng.choice(NAMES)
    its = {n: d for n, d in corpus.items() if n.startswith(artifact)}
    name = rng.choice([*its, *[n for n in its if n.endswith(".pb")] * 3])
    its[name], how = mutations.mutated(its[name], rng)
    return {"artifact": artifact, "files": its, "what": f"{how} of {name}"}


def judge(corpus, case, folder):
    """Opens it as predict does, and asks about three images."""
    del corpus
    import numpy as np

    from keras_resnet.errors import UsageError
    from keras_resnet.inference import runtime
    from keras_resnet.inference import tflite_metadata
    from keras_resnet.labels import answers

    path = folder / case["artifact"]
    if path.suffix == ".tflite":
        try:
            tflite_metadata.find_card(path)
        except UsageError:
            pass  # its network may be whole
    predictor = runtime.load_predictor(path)
    answers.check_card(
        whole.card(),
        path,
        num_classes=predictor.num_classes,
        image_size=predictor.image_size,
    )
    answer = predictor.predict(np.full((3, 16, 16, 3), 100, np.uint8))
    check(
        answer.dtype == np.float32 and answer.shape == (3, 10),
        f"answers {answer.dtype} {answer.shape}",
    )
