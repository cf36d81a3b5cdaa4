"""Weights: published ones, files of any library's, and transfer."""

from keras_resnet import moved

__getattr__ = moved.attributes(__name__, "keras_resnet.weights.loading")
