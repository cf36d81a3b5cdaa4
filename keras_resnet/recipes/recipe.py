"""The fields of a recipe, each with its help and its default."""

import dataclasses

from keras_resnet.labels.view import EXIF
from keras_resnet.networks import specs
from keras_resnet.optimizers import rules
from keras_resnet.recipes import checks
from keras_resnet.recipes import schedules
from keras_resnet.recipes.later import Later
from keras_resnet.recipes.shown import choices as _choices
from keras_resnet.recipes.shown import field as _field

# {first field of a group: what the group is about}.
GROUPS = {
    "variant": "Network and data",
    "weights": "Transfer",
    "image_size": "Pixels",
    "batch_size": "Optimisation",
    "schedule": "Learning rate",
    "optimizer": "Later practice",
    "log_every_steps": "Iterations between reports, evaluations, checkpoints",
}


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Recipe(Later):
    """One training run. An iteration, or step, is one global batch.

    Every field is a flag of `keras-resnet train`, with its help there. The
    defaults are P1's for CIFAR-10 (sec. 4.2), except for the mean image.

    Raises:
        keras_resnet.UsageError: if a value cannot work.
    """

    variant: str = _field("resnet20", "Key of keras_resnet.VARIANTS.")
    depths: tuple[int, ...] = _field(
        (), "Units of each stage in place of the variant's; empty for those."
    )
    filters: tuple[int, ...] = _field(
        (), "Filters of each stage in place of the variant's; empty for those."
    )
    stem: str = _field("", "Key of specs.STEMS in place of the variant's.")
    block: str = _field("", "Key of specs.BLOCKS in place of the variant's.")
    placement: str = _field(
        "", "Key of specs.PLACEMENTS in place of the variant's."
    )
    shortcut: str = _field(
        "", "Key of specs.SHORTCUTS in place of the variant's."
    )
    dataset: str = _field(
        "cifar10",
        "digits, a TFDS name, folder:PATH, csv:FILE or tfrecord:PATTERN.",
    )
    train_examples: int = _field(
        0,
        "How many training examples are used, evenly spaced over the data "
        "set; 0 for all.",
    )
    holdout_examples: int = _field(
        0,
        "How many of these are held out and judge the run: plateau, keep=best "
        "and patience then do not see what evaluate reports; 0 for none.",
    )
    dtype: str = _field("float32", _choices(checks.DTYPES))
    seed: int = _field(0, "Of the initial weights and of the data's order.")
    shuffle: str = _field("examples", _choices(checks.SHUFFLES))
    shuffle_blocks: int = _field(
        16,
        "How many blocks of 8 MB shuffle=blocks mixes; memory holds twice as "
        "many.",
    )

    weights: str = _field(
        "",
        "File or tag of published weights to start from; empty for random "
        "weights. The classifier is new unless the labels.txt beside the file "
        "has the classes of the data set.",
    )
    freeze_until: str = _field(
        "",
        "Last part that does not train: stem, stage1, ..., or head for all "
        "but the classifier; empty to train all.",
    )
    unfreeze_boundaries: tuple[int, ...] = _field(
        (),
        "Iterations after which one part more trains, from the classifier "
        "towards the pixels; empty for none.",
    )
    freeze_batch_norm: bool = _field(
        False, "Keep all BN statistics and scales of --weights."
    )
    head_learning_rate_multiplier: float = _field(
        1.0, "Of the classifier's learning rate."
    )
    stage_learning_rate_decay: float = _field(
        1.0,
        "Factor of the learning rate from each stage to the one before it, "
        "down to the stem; 0 to 1.",
    )

    image_size: int = _field(32, "Side of the crop, pixels.")
    eval_resize: int = _field(
        32, "Shorter side before the central crop of evaluation, pixels."
    )
    exif: str = _field(
        "ignore",
        "What the note of a camera of how it was held does, here and wherever "
        "the model is used: " + _choices(EXIF),
    )
    pixel_mean: str = _field(
        "channel",
        "What the network subtracts; with --weights of that kind the file's. "
        + _choices(checks.PIXEL_MEANS),
    )
    augmentation: str = _field(
        "cifar",
        "none, pad_crop, cifar (pad, crop, flip), scale_crop (scale, crop, "
        "flip), imagenet (the same and PCA colour), area_crop (crop of random "
        "area and aspect, flip) or area_crop_color (the same, jitter and PCA "
        "colour).",
    )
    pad_pixels: int = _field(4, "Padding of pad_crop and cifar, pixels.")
    scale_range: tuple[int, ...] = _field(
        (256, 480),
        "Least and greatest shorter side of scale_crop and imagenet, pixels.",
    )
    policy: str = _field(
        "",
        "Random operations on a crop, after the augmentation; empty for none. "
        + _choices(checks.POLICIES),
    )
    policy_magnitude: float = _field(
        9.0, "How strong rand_augment's operations are, 0 to 10."
    )
    policy_magnitude_deviation: float = _field(
        0.5, "Standard deviation of that magnitude, drawn for each operation."
    )
    policy_layers: int = _field(
        2, "Operations of rand_augment, each done to half of the images."
    )
    policy_increasing: bool = _field(
        True,
        "Whether each operation of rand_augment grows with the magnitude, as "
        "timm's inc1; as inc0 posterize and solarize weaken, and the colours "
        "go from grey to strong.",
    )
    policy_interpolation: str = _field(
        "nearest", _choices(checks.INTERPOLATIONS)
    )
    erasing: float = _field(
        0.0,
        "Probability that a rectangle of a crop becomes the mean colour, 0 "
        "to 1.",
    )
    on_bad_image: str = _field(
        "fail",
        "What an image that cannot be read does: fail, or mask:N to go on "
        "without up to N of them.",
    )

    batch_size: int = _field(128, "Images an iteration, over all devices.")
    steps: int = _field(64_000, "Iterations of the whole run.")
    learning_rate: float = _field(0.1, "Base learning rate.")
    momentum: float = _field(
        0.9, "Momentum, 0 to 1; of others than sgd beta 1."
    )
    momentum_rule: str = _field("caffe", _choices(rules.MOMENTUM_RULES))
    nesterov: bool = _field(False, "Nesterov's momentum; not the papers'.")
    weight_decay: float = _field(1e-4, "L2, as the optimizer has it.")
    decay: str = _field("all", "Which variables decay: all or kernels.")
    label_smoothing: float = _field(
        0.0,
        "Part of each label that is spread over all classes, of many labels "
        "an image over yes and no; 0 to 1. Reports and metrics have the "
        "cross-entropy without it.",
    )
    class_weights: str = _field(
        "",
        "What the loss of a class is multiplied by: balanced, for N / (K * "
        "its examples); or a table, as in cat=2,dog=0.5. Of many labels an "
        "image it multiplies each yes; balanced is examples without / with "
        "it. Reports and metrics have all classes alike.",
    )
    gradient_accumulation_steps: int = _field(
        1,
        "Micro-batches into which each device divides its part of a batch, so "
        "that memory holds one of them. BN uses each one's own statistics.",
    )
    ema_momentum: float = _field(
        0.0,
        "Of the moving average of the weights that is evaluated and is the "
        "final model, below 1; 0 for none. BN's statistics stay those of the "
        "weights themselves, but for precise_bn_batches.",
    )
    precise_bn_batches: int = _field(
        0,
        "Training batches after the last iteration over which BN's statistics "
        "are averaged anew; 0 to keep the moving averages.",
    )
    keep: str = _field("last", _choices(checks.KEEP))
    patience: int = _field(
        0,
        "Evaluations without a better one after which the run ends; 0 to go "
        "to its end.",
    )
    jit_compile: bool = _field(
        False, "Compile the training step by XLA; for one_device."
    )
    remat: bool = _field(
        False,
        "Compute each unit again for the gradient, which keeps less in memory "
        "and takes a third longer.",
    )

    schedule: str = _field("steps", schedules.describe() + ".")
    boundaries: tuple[int, ...] = _field(
        (32_000, 48_000), "Iterations after which `steps` takes a tenth."
    )
    plateau_evaluations: int = _field(
        5, "Evaluations without improvement that are a plateau."
    )
    warmup_steps: int = _field(0, "Iterations of warm-up at most; 0 for none.")
    warmup_learning_rate: float = _field(0.01, "Rate of the warm-up.")
    warmup_error: float = _field(
        0.8, "Training error, 0 to 1, below which the warm-up ends."
    )

    log_every_steps: int = _field(100, "Iterations between reports.")
    eval_every_steps: int = _field(1_000, "Iterations between evaluations.")
    checkpoint_every_steps: int = _field(
        1_000, "Iterations between checkpoints."
    )
    keep_checkpoints: int = _field(2, "How many checkpoints are kept.")
    keep_every_steps: int = _field(
        0,
        "Checkpoints of the multiples of so many iterations are kept too; 0 "
        "for none.",
    )

    def __post_init__(self):
        checks.check(self)
        for field in dataclasses.fields(self):
            # JSON has no tuples.
            if field.type == tuple[int, ...]:
                value = tuple(getattr(self, field.name))
                object.__setattr__(self, field.name, value)

    @property
    def architecture(self):
        """{field: value} in place of the variant's, for `build`."""
        names = ("depths", "filters", *specs.TABLES)
        fields = {name: getattr(self, name) for name in names}
        return {name: value for name, value in fields.items() if value}
