"""Files of models of Kaggle."""

import pathlib

from keras_resnet.errors import UsageError
from keras_resnet.errors import first_line

# What Kaggle says of a file that is not there.
_MISSING = ("is not present in the model files", "404 Client")


class KaggleFiles:
    """Files of a model of Kaggle, by `kagglehub` and in its cache.

    Kaggle publishes no digest of a file.

    Args:
        handle: as the user wrote it, for messages.
        name: "OWNER/MODEL/keras/NAME", maybe with "/VERSION".
    """

    def __init__(self, handle, name):
        self.handle = handle
        self._name = name

    def file(self, name):
        """As `HubFiles.file`."""
        try:
            import kagglehub
        except ImportError as error:
            raise UsageError(
                f"{self.handle} needs kagglehub: pip install kagglehub. "
                "KerasHub's presets are on the hub too, as "
                "hf://keras/resnet_50_imagenet."
            ) from error
        try:
            return pathlib.Path(kagglehub.model_download(self._name, name))
        except Exception as error:  # each of its resolvers raises its own
            if any(said in str(error) for said in _MISSING):
                return None
            raise UsageError(
                f"{self.handle} cannot be had from Kaggle: {first_line(error)}"
            ) from error
