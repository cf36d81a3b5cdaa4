"""Why an artifact of 8 bits fails: its layers beside those of float32."""

import pathlib
import tempfile

from keras_resnet.errors import UsageError
from keras_resnet.export.verification import layer_errors
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite

# Format -> (exporter of the float32 file, comparison of the two).
_BY_FORMAT: dict[str, tuple] = {
    "tflite": (export_tflite, layer_errors.tflite_layer_errors),
    "onnx": (export_onnx, layer_errors.onnx_layer_errors),
}
# Images that layers are compared on.
_IMAGES = 8


def diagnose(path, *, format, model, card, views):
    """A table of the errors of all layers, the first wrong one marked.

    Args:
        path: of a file of 8 bits.
        format: of the manifest; "tflite" and "onnx" can be compared.
        model: `keras.Model` that it was made from.
        card: `keras_resnet.labels.cards.Card`.
        views: uint8 (N, S, S, 3), what the network sees of real images.

    Returns:
        str, a line for each layer; or why there is no such table.
    """
    if format not in _BY_FORMAT:
        return f"Its layers cannot be compared: it is a file of {format!r}."
    export, compare = _BY_FORMAT[format]
    try:
        with tempfile.TemporaryDirectory() as folder:
            whole = pathlib.Path(folder, "float32")
            export(model, whole, card=card, precision="float32")
            errors = compare(whole, path, views[:_IMAGES])
    except UsageError as error:
        return f"Its layers cannot be compared: {error}"
    return layer_errors.table(errors)
