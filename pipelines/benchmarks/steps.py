"""Our training step and its peers', contenders of `runner`.

Each imports only its own framework.
"""

import numpy as np

CLASSES = 1000


def repeated(step, wait=None):
    """`steps` of a contender.

    Args:
        step: () -> what it made.
        wait: called with what the first and the last step made: a device may
            run ahead of us, but not past what is timed.
    """

    def steps(count, tick):
        for number in range(count):
            made = step()
            if wait and number in (0, count - 1):
                wait(made)
            tick()

    return steps


def pixels(image_size, batch_size, classes=CLASSES):
    """Random uint8 (B, S, S, 3) and int32 labels (B,)."""
    rng = np.random.default_rng(0)
    shape = batch_size, image_size, image_size, 3
    images = rng.integers(0, 256, shape, np.uint8)
    return images, rng.integers(0, classes, batch_size, np.int32)


def ours(
    image_size,
    batch_size,
    *,
    variant="resnet50",
    classes=CLASSES,
    folder=None,
    choices=None,
):
    """The step of `pipelines/train.py` on one device.

    Args:
        image_size, batch_size: ints.
        variant: key of `keras_resnet.VARIANTS`.
        classes: int.
        folder: with JPEG files in train/CLASS/, which the input pipeline
            reads. Default: one batch of random pixels, again and again.
        choices: dict of other arguments of `keras_resnet.build`.
    """
    import tensorflow as tf
    from benchmarks import input_contenders

    import keras_resnet
    from keras_resnet import recipes
    from keras_resnet.training import distribution
    from keras_resnet.training import start
    from keras_resnet.training import step as step_lib

    strategy = distribution.make_strategy("one_device")
    shape = image_size, image_size, 3
    if folder:
        batches = input_contenders.endless(folder, batch_size, image_size)
    else:
        images, labels = pixels(image_size, batch_size, classes)
        batch = {"image": tf.constant(images), "label": tf.constant(labels)}
        batch["weight"] = tf.ones(batch_size)
        batches = iter(lambda: batch, None)

    def build():
        with strategy.scope():
            model = keras_resnet.build(
                variant, input_shape=shape, classes=classes, **(choices or {})
            )
            recipe = recipes.load("imagenet_resnet50")
            optimizer = start.make_optimizer(model, recipe)
        train_step = step_lib.make_train_step(strategy, model, optimizer)
        return repeated(lambda: np.asarray(train_step(next(batches))))

    return build


def keras_applications(
    image_size, batch_size, *, name="ResNet50", dtype="float32"
):
    """A network of keras.applications as its users train it.

    Its pixels are in memory, as floats that are already normalised.

    Args:
        image_size, batch_size: ints.
        name: of `keras.applications`.
        dtype: Keras' dtype policy of the whole process.
    """
    import keras

    keras.config.set_dtype_policy(dtype)
    network = getattr(keras.applications, name)
    shape = image_size, image_size, 3
    return fitted(
        lambda: network(weights=None, input_shape=shape),
        *pixels(image_size, batch_size),
    )


def fitted(make, images, labels):
    """A contender that compiles a model and trains it by `fit`.

    Args:
        make: () -> `keras.Model` to probabilities.
        images, labels: uint8 (B, S, S, 3) and int32 (B,), of every batch.
    """
    import keras
    import tensorflow as tf

    images = images.astype(np.float32) / 127.5 - 1
    batch = tf.data.Dataset.from_tensors((images, labels))
    dataset = batch.repeat().prefetch(tf.data.AUTOTUNE)

    def build():
        model = make()
        sgd = keras.optimizers.SGD(0.1, momentum=0.9)
        model.compile(sgd, loss="sparse_categorical_crossentropy")

        def steps(count, tick):
            after_each = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: tick()
            )
            more = {"callbacks": [after_each], "verbose": 0}
            model.fit(dataset, steps_per_epoch=count, **more)

        return steps

    return build


def torchvision(
    image_size,
    batch_size,
    *,
    name="resnet50",
    device="cpu",
    mixed=False,
    compiled=False,
):
    """As PyTorch advises: channels last and, on a GPU, AMP and compiled.

    Its pixels are in the device's memory, as floats that are already
    normalised. Its optimiser has weight decay too.

    Args:
        image_size, batch_size: ints.
        name: of `torchvision.models`.
        device: PyTorch's name of the device.
        mixed: bool, whether PyTorch may compute in bfloat16.
        compiled: bool, whether `torch.compile` makes the network.

    Raises:
        ImportError: without PyTorch or torchvision.
    """
    import torch

    models = torchvision_models()
    torch.manual_seed(0)
    images = torch.randn(batch_size, 3, image_size, image_size, device=device)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.randint(CLASSES, (batch_size,), device=device)

    def build():
        network = getattr(models, name)(weights=None).to(device).train()
        network = network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(
            network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4
        )
        loss_of = torch.nn.CrossEntropyLoss()
        forward = torch.compile(network) if compiled else network

        def step():
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=mixed):
                loss = loss_of(forward(images), labels)
            loss.backward()
            optimizer.step()

        def wait(_):
            if device == "cuda":
                torch.cuda.synchronize()

        return repeated(step, wait)

    return build


def torchvision_models():
    """`torchvision.models`, also where its compiled operators are missing.

    With a CPU-only PyTorch, torchvision still declares their shapes, and
    PyTorch refuses that. A network of convolutions needs none of them.
    """
    import torch

    declare = torch.library.register_fake

    def declare_others(name, *args, **kwargs):
        if str(name).startswith("torchvision::"):
            return lambda function: function
        return declare(name, *args, **kwargs)

    torch.library.register_fake = declare_others
    try:
        from torchvision import models
    finally:
        torch.library.register_fake = declare
    return models


def built(name):
    """A contender that is only built: a network with random weights.

    Args:
        name: key of `keras_resnet.VARIANTS`, or "keras.applications.NAME".
    """
    import keras

    import keras_resnet

    library, _, theirs = name.rpartition(".")

    def build():
        if library:
            getattr(keras.applications, theirs)(weights=None)
        else:
            keras_resnet.build(name)

    return build
