"""Networks as files for other runtimes: SavedModel, TFLite and ONNX.

`keras_resnet.export(model, "exported")` calls `exporting.export`: the name of
this package is that of the function too.
"""

import sys
import types


class _Callable(types.ModuleType):
    """This package, which can be called."""

    @property
    def __wrapped__(self):
        """The function, whose signature `help` and `inspect` show."""
        from keras_resnet.export import exporting

        return exporting.export

    def __call__(self, *args, **kwargs):
        return self.__wrapped__(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
