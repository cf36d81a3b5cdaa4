"""Residual networks as both papers describe them, from training to export.

`__init__.pyi` lists the public names. Each is loaded when it is first used, so
that a program which needs neither Keras nor TensorFlow does not wait for them.
"""

import importlib
import sys

import lazy_loader
import wrapt

from keras_resnet import moved

__version__ = "0.2.0"
sys.meta_path.append(moved.Finder())
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


# Keras finds a layer of a .keras file only if its module has been imported.
@wrapt.when_imported("keras")
def _register_layers(keras):
    importlib.import_module("keras_resnet.networks.outputs")
