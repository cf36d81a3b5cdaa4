"""Why an 8-bit artifact fails: its layers beside those of float32."""

import pathlib
import tempfile

from keras_resnet.errors import UsageError
from keras_resnet.export import formats
from keras_resnet.export.writers import serving
from keras_resnet.inference import layer_errors

# Images that layers are compared on.
_IMAGES = 8


def diagnose(path, *, model, card, views):
    """A table of the errors of all layers, the first wrong one marked.

    `path` is an 8-bit file with the name that its format gives it. `views`,
    uint8 (N, S, S, 3), are what the network sees of real images. If the layers
    cannot be compared, the text says why.
    """
    rows = [row for row in formats.FORMATS.values() if row.file == path.name]
    if not (rows and rows[0].whole):
        return f"No format says what {path.name!r} is compared with."
    whole = formats.FORMATS[rows[0].whole]
    try:
        with tempfile.TemporaryDirectory() as folder:
            float32 = pathlib.Path(folder, whole.file)
            network = serving.Network(model, card)
            whole.write(network, float32, formats.Options())
            errors = rows[0].compare(float32, path, views[:_IMAGES])
    except UsageError as error:
        return f"Its layers cannot be compared: {error}"
    return layer_errors.table(errors)
