"""Names of version 0.1 that have moved: they work, with a warning, in 0.2."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings

# {module of 0.1: module of 0.2}, for the modules that the documents named.
MODULES = {
    "data.decoding": "data.pixels.decoding",
    "data.transforms": "data.pixels.transforms",
    "execution": "networks.execution",
    "export.artifact": "inference.artifact",
    "export.onnx": "export.writers.onnx",
    "export.runtime": "inference.runtime",
    "export.saved_model": "export.writers.saved_model",
    "export.tflite": "export.writers.tflite",
    "export.tflite_metadata": "inference.tflite_metadata",
    "export.verify": "export.verification.verify",
    "export.web": "export.writers.web",
    "layers": "networks.layers",
    "model": "models",
    "operations": "networks.operations",
    "pretrained": "weights.published",
    "specs": "networks.specs",
    "transfer": "weights.transfer",
}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a moved module under its old name."""

    def find_spec(self, fullname, path=None, target=None):
        """The spec of a moved module; None for all others."""
        del path, target
        if fullname.removeprefix("keras_resnet.") not in MODULES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def exec_module(self, module):
        """Puts the current module in place of the requested one."""
        new = (
            "keras_resnet."
            + MODULES[module.__name__.removeprefix("keras_resnet.")]
        )
        _warn(module.__name__, new)
        sys.modules[module.__name__] = importlib.import_module(new)


def attributes(package, module):
    """A package's `__getattr__` for the names of its module of 0.1.

    Args:
        package: name of a package that was a module.
        module: name of the module that has its contents now.
    """

    def __getattr__(name):
        # `from PACKAGE import MODULE` asks here first; then Python imports it.
        if name.startswith("__") or importlib.util.find_spec(
            f"{package}.{name}"
        ):
            raise AttributeError(name)
        found = getattr(importlib.import_module(module), name)
        _warn(f"{package}.{name}", f"{module}.{name}")
        return found

    return __getattr__


def _warn(old, new):
    warnings.warn(
        f"{old} is now {new}; the old name goes in version 0.3.",
        DeprecationWarning,
        stacklevel=3,
    )
