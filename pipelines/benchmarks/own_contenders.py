"""Programs that train on a folder of pictures, as their users write them.

Contenders of `runner`: each gives the accuracy after every epoch, and the
seconds since before its imports. FOLDER has train/CLASS/*.png and
val/CLASS/*.png. All start from random weights. They change pictures only as the
program does by itself.
"""

import pathlib
import tempfile
import time


class Clock:
    """Accuracies and when they were known.

    Attributes:
        points: list of {"seconds", "cpu_seconds", "accuracy"}.
    """

    def __init__(self):
        self._begun = time.perf_counter(), time.process_time()
        self.points = []

    def note(self, accuracy):
        now = time.perf_counter(), time.process_time()
        seconds, cpu = (b - a for a, b in zip(self._begun, now, strict=True))
        point = {"seconds": seconds, "cpu_seconds": cpu}
        self.points.append({**point, "accuracy": float(accuracy)})


def ours(folder, *, image_size, batch_size, epochs):
    """`keras-resnet train FOLDER --variant=resnet18`, at this image size."""

    def build():
        clock = Clock()
        from keras_resnet.training import choices
        from keras_resnet.training import hooks
        from keras_resnet.training import run

        class Noted(hooks.Hook):
            def after_evaluation(self, state):
                clock.note(state.records[-1]["top1_accuracy"])

        fields = {"variant": "resnet18", "batch_size": batch_size}
        fields |= {"image_size": image_size, "eval_resize": image_size}
        dataset = f"folder:{folder}"
        recipe = choices.choose(dataset, epochs=epochs, fields=fields)
        with tempfile.TemporaryDirectory() as workdir:
            run.train_and_evaluate(recipe, workdir, hooks=[Noted()])
        return clock.points

    return build


def keras_hub(folder, *, image_size, batch_size, epochs):
    """KerasHub's ImageClassifier on the same network as `ours`."""

    def build():
        clock = Clock()
        from keras_hub import models

        backbone = models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 128, 256, 512],
            stackwise_num_blocks=[2, 2, 2, 2],
            stackwise_num_strides=[1, 2, 2, 2],
            block_type="basic_block",
            image_shape=(image_size, image_size, 3),
        )
        splits = _splits(folder, image_size, batch_size)
        splits = [split.map(lambda x, y: (x / 255, y)) for split in splits]
        model = models.ImageClassifier(
            backbone, num_classes=_classes(folder), activation="softmax"
        )
        return _fitted(model, splits, epochs, clock)

    return build


def tutorial(folder, *, image_size, batch_size, epochs):
    """The small network of TensorFlow's tutorial "Image classification"."""

    def build():
        clock = Clock()
        from keras import layers
        from keras import models

        model = models.Sequential([layers.Rescaling(1 / 255)])
        for filters in (16, 32, 64):
            conv = {"padding": "same", "activation": "relu"}
            model.add(layers.Conv2D(filters, 3, **conv))
            model.add(layers.MaxPooling2D())
        model.add(layers.Flatten())
        model.add(layers.Dense(128, activation="relu"))
        model.add(layers.Dense(_classes(folder), activation="softmax"))
        splits = _splits(folder, image_size, batch_size)
        return _fitted(model, splits, epochs, clock)

    return build


def _classes(folder):
    return len(list(pathlib.Path(folder, "train").iterdir()))


def _splits(folder, image_size, batch_size):
    import keras

    return [
        keras.utils.image_dataset_from_directory(
            pathlib.Path(folder, split),
            image_size=(image_size, image_size),
            batch_size=batch_size,
            seed=0,
            verbose=False,
        ).cache()
        for split in ("train", "val")
    ]


def _fitted(model, splits, epochs, clock):
    import keras

    train, validation = splits
    model.compile(
        "adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    noted = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: clock.note(logs["val_accuracy"])
    )
    model.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        callbacks=[noted],
        verbose=0,
    )
    return clock.points


def ultralytics(folder, *, image_size, batch_size, epochs):
    """YOLO11n-cls with the settings that it chooses, in one process.

    Raises:
        ImportError: without ultralytics or PyTorch.
    """

    def build():
        clock = Clock()
        from benchmarks import steps

        steps.torchvision_models()
        from ultralytics import YOLO

        model = YOLO("yolo11n-cls.yaml")
        model.add_callback(
            "on_fit_epoch_end",
            lambda trainer: clock.note(
                trainer.metrics["metrics/accuracy_top1"]
            ),
        )
        with tempfile.TemporaryDirectory() as project:
            model.train(
                data=str(folder),
                epochs=epochs,
                imgsz=image_size,
                batch=batch_size,
                device="cpu",
                workers=0,
                plots=False,
                project=project,
                verbose=False,
            )
        return clock.points[:epochs]

    return build
