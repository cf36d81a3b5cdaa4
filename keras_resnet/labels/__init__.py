"""Class names, and what is saved beside a model."""

from keras_resnet import moved

__getattr__ = moved.attributes(__name__, "keras_resnet.labels.cards")
