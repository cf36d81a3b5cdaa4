"""A user's experiment, loaded by --import: does a third layer help?"""

from reproduction import experiments
from reproduction import jobs

from keras_resnet.networks import specs

specs.register(
    "own_block", specs.Block(kernels=(3, 3, 3), widths=(1, 1, 1), strided=0)
)
_TINY = {
    "image_size": 8,
    "eval_resize": 8,
    "depths": (1, 1),
    "filters": (16, 32),
    "batch_size": 8,
    "augmentation": "none",
    "pixel_mean": "channel",
    "train_examples": 40,
    "steps": 2,
    "boundaries": (1,),
    "eval_every_steps": 2,
    "checkpoint_every_steps": 2,
    "log_every_steps": 1,
}
experiments.register(
    "own_layers",
    jobs.Experiment(
        title="Layers of a block",
        question="Does a third layer help?",
        source="nobody's paper",
        rows={
            "two": jobs.Row(variant="resnet20"),
            "three": jobs.Row(
                variant="resnet20", overrides={"block": "own_block"}
            ),
        },
        settings={"quick": {"digits": jobs.Setting(recipe=_TINY, seeds=1)}},
    ),
)
