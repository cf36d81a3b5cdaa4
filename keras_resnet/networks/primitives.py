"""Layers of one operation each: pixels, padding, ReLU, normalisation.

Shapes: B batch, H height, W width, C channels. Images are channels-last.
Imports keras only, so every layer runs on any Keras backend.
"""

import keras
from keras import ops

from keras_resnet.errors import require
from keras_resnet.networks import execution

serializable = keras.saving.register_keras_serializable(package="keras_resnet")


class ReLU:
    """max(x, 0). Not a Keras layer, which takes longer to make than to run."""

    pixelwise = True
    gradient_reads = ("output",)
    # `keras.Model.summary` reads it from layers inside another layer.
    _inbound_nodes = ()

    def __init__(self, name):
        self.name = name
        self._build_shapes_dict = {}

    def __call__(self, x):
        return ops.relu(x)

    def build(self, input_shape):
        self._build_shapes_dict = {"input_shape": input_shape}

    def compute_output_shape(self, input_shape):
        return input_shape


@serializable
class Dropout(keras.layers.Dropout):
    """Keras' dropout, with a random seed that the network names.

    Keras numbers seeds over the process, so the variable names of a checkpoint
    would depend on what the process built before.

    Args:
        rate: float, 0 to 1.
        seed_name: str, different for each layer of a network.
    """

    pixelwise = True

    def __init__(self, rate, seed_name, **kwargs):
        super().__init__(0, **kwargs)  # makes no seed
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator(name=seed_name)

    def build(self, input_shape):
        """Makes Keras build, and close, the layer after `__init__`."""

    def get_config(self):
        names = {"seed_name": self.seed_generator.name}
        return {**super().get_config(), **names}


@serializable
class PixelNormalization(keras.layers.Layer):
    """(pixels - mean) / std, so that a network takes plain RGB pixels.

    `mean` and `std` are non-trainable weights: every file of the network
    carries them. Unlike in `keras.layers.Normalization` they are read at each
    call, so assigning or restoring them takes effect.

    Args:
        mean, std: floats of shape (C,), in units of the pixels, 0..255. `std`
            is None where the first convolution divides by it.
        mean_size: (H, W) if the weight `mean` is an image (H, W, C), whose
            pixels all start as `mean` (P1 sec. 3.4); None for a colour (C,).

    Input shape:
        (B, H, W, C), uint8 or float, 0..255; H and W those of a mean image.

    Output shape:
        (B, H, W, C), float.

    Raises:
        keras_resnet.UsageError: for images of another size than the mean's.
    """

    def __init__(self, mean, std, mean_size=None, **kwargs):
        super().__init__(**kwargs)
        self.initial = {"mean": list(mean), "std": std and list(std)}
        self.mean_size = mean_size and tuple(mean_size)

    def build(self, input_shape):
        self._check_size(input_shape)
        sizes = {"mean": self.mean_size or (), "std": ()}
        for name, values in self.initial.items():
            if values is None:
                continue
            weight = self.add_weight(
                name=name,
                shape=(*sizes[name], len(values)),
                initializer=_constant(values),
                trainable=False,
            )
            setattr(self, name, weight)

    @property
    def mean_color(self):
        """float (C,), NumPy: the mean; of a mean image, over its positions."""
        mean = ops.convert_to_numpy(self.mean)
        return mean.reshape(-1, mean.shape[-1]).mean(axis=0, dtype="float64")

    def call(self, pixels):
        pixels = ops.cast(pixels, self.compute_dtype) - self.mean
        return pixels if self.initial["std"] is None else pixels / self.std

    def compute_output_shape(self, input_shape):
        self._check_size(input_shape)
        return input_shape

    def _check_size(self, shape):
        require(
            self.mean_size in (None, tuple(shape[1:3])),
            f"The network subtracts a mean image of {self.mean_size} pixels, "
            "so it takes images of that height and width alone. Received: "
            f"{tuple(shape[1:3])}. Images of other sizes need a network with "
            "a pixel_mean for each channel.",
        )

    def get_config(self):
        config = {**super().get_config(), **self.initial}
        return {**config, "mean_size": self.mean_size}


def _constant(values):
    def initializer(shape, dtype=None):
        # Not `broadcast_to`: PyTorch cannot assign to its result.
        return ops.zeros(shape, dtype) + ops.convert_to_tensor(values, dtype)

    return initializer


@serializable
class EdgePadding2D(keras.layers.Layer):
    """Repeats the outermost pixels `padding` times.

    Before max-pooling this equals PyTorch's padding by minus infinity, unless a
    window lies entirely in the padding: the repeated pixels are in the window
    already. It needs no value that half precision or a quantised network lacks.

    Args:
        padding: int, pixels on each side.

    Input shape:
        (B, H, W, C).

    Output shape:
        (B, H + 2 * padding, W + 2 * padding, C).
    """

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, x):
        n = self.padding
        top, bottom = x[:, :1], x[:, -1:]
        x = ops.concatenate([*[top] * n, x, *[bottom] * n], axis=1)
        left, right = x[:, :, :1], x[:, :, -1:]
        return ops.concatenate([*[left] * n, x, *[right] * n], axis=2)

    def compute_output_shape(self, input_shape):
        batch, *size, channels = input_shape
        size = [n and n + 2 * self.padding for n in size]
        return (batch, *size, channels)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}


@serializable
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, trained by one kernel where the backend has one."""

    pixelwise = True

    def call(self, inputs, training=None, mask=None):
        learns = training and self.trainable
        if not (learns and execution.has_fused_batch_norm(inputs)):
            return super().call(inputs, training=training, mask=mask)
        y, mean, variance = execution.fused_batch_norm(
            inputs, self.gamma, self.beta, self.epsilon
        )
        for moving, new in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            old = ops.cast(moving, new.dtype)
            moving.assign(old * self.momentum + new * (1 - self.momentum))
        return y


@serializable
class Bias(keras.layers.Layer):
    """x + bias: BN after a convolution that its scale was folded into."""

    pixelwise = True

    def build(self, input_shape):
        self.bias = self.add_weight(
            name="bias", shape=(input_shape[-1],), initializer="zeros"
        )

    def call(self, x):
        # Keras turns this into BiasAdd, which TensorFlow's kernels fuse.
        return ops.add(x, self.bias)

    def compute_output_shape(self, input_shape):
        return input_shape


@serializable
class Affine(keras.layers.Layer):
    """scale * x + offset: BN at inference where no convolution precedes it."""

    pixelwise = True

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.scale = self.add_weight(
            name="scale", shape=shape, initializer="ones"
        )
        self.offset = self.add_weight(
            name="offset", shape=shape, initializer="zeros"
        )

    def call(self, x):
        return x * self.scale + self.offset

    def compute_output_shape(self, input_shape):
        return input_shape
