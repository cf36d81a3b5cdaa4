"""A user's block, schedule and recipe, loaded by --import."""

from keras_resnet import recipes
from keras_resnet.networks import specs
from keras_resnet.recipes import schedules


class Cooling(schedules.Schedule):
    """Halves the rate after each evaluation."""

    STATE = ("warm", "evaluations")

    def __init__(self, recipe):
        super().__init__(recipe)
        self.evaluations = 0

    def multiplier(self, step):
        return 0.5**self.evaluations

    def after_evaluation(self, validation_error):
        self.evaluations += 1


schedules.register("cooling", Cooling)
specs.register(
    "three_layers",
    specs.Block(kernels=(3, 3, 3), widths=(1, 1, 1), strided=0),
)
recipes.register(
    "own_digits",
    recipes.load(
        "digits",
        {
            "block": "three_layers",
            "depths": (1, 1),
            "filters": (4, 8),
            "shortcut": "B",
            "schedule": "cooling",
            "batch_size": 8,
            "train_examples": 40,
            "steps": 4,
            "boundaries": (),
            "log_every_steps": 4,
            "eval_every_steps": 2,
            "checkpoint_every_steps": 4,
        },
    ),
)
