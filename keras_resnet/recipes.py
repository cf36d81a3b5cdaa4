"""Everything that decides the result of a training run, as named values."""

import dataclasses
import math
import types

from keras_resnet import optimizers
from keras_resnet import specs
from keras_resnet.errors import lookup
from keras_resnet.errors import require

SCHEDULES = {
    "constant": "the base rate throughout",
    "steps": "a tenth after each of `boundaries` iterations",
    "plateau": "a tenth when the validation error stops improving",
}
PIXEL_MEANS = {
    "channel": (
        "the data set's mean colour, and division by its standard deviation"
    ),
    "image": (
        "the mean of the training images' evaluation views, read once before "
        "the first iteration, without division (P1 sec. 3.4)"
    ),
}
SHUFFLES = {
    "examples": "a uniform permutation of the examples an epoch",
    "blocks": (
        "runs of examples of a file are permuted, and the examples mixed "
        "within `shuffle_blocks` of them, so that slow storage is read in "
        "long pieces; for TFRecord files"
    ),
}
DTYPES = {
    "float32": "all in single precision",
    "bfloat16": "all in bfloat16, weights and momentum too",
    "mixed_bfloat16": "float32 weights, bfloat16 convolutions",
    "mixed_float16": "the same in float16, with a dynamic loss scale",
}


def _field(default, help_text):
    return dataclasses.field(default=default, metadata={"help": help_text})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training run. An iteration, or step, is one global batch.

    Every field is a flag of `pipelines/train.py`, with its help there. The
    defaults are P1's for CIFAR-10 (sec. 4.2).

    Raises:
        keras_resnet.UsageError: if a value cannot work.
    """

    # What is trained on what.
    variant: str = _field("resnet20", "Key of keras_resnet.VARIANTS.")
    depths: tuple[int, ...] = _field(
        (), "Units of each stage in place of the variant's; empty for those."
    )
    placement: str = _field(
        "", "Key of specs.PLACEMENTS in place of the variant's, or empty."
    )
    shortcut: str = _field(
        "", "Key of specs.SHORTCUTS in place of the variant's, or empty."
    )
    dataset: str = _field(
        "cifar10", "digits, a TFDS name, folder:PATH or tfrecord:PATTERN."
    )
    train_examples: int = _field(
        0,
        "How many training examples are used, evenly spaced over the data "
        "set; 0 for all.",
    )
    dtype: str = _field(
        "float32", "; ".join(f"{key}: {text}" for key, text in DTYPES.items())
    )
    seed: int = _field(0, "Of the initial weights and of the data's order.")
    shuffle: str = _field(
        "examples",
        "; ".join(f"{key}: {text}" for key, text in SHUFFLES.items()),
    )
    shuffle_blocks: int = _field(
        16,
        "How many blocks of 8 MB shuffle=blocks mixes; memory holds twice as "
        "many.",
    )

    # Transfer.
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

    # Pixels.
    image_size: int = _field(32, "Side of the crop, pixels.")
    eval_resize: int = _field(
        32, "Shorter side before the central crop of evaluation, pixels."
    )
    pixel_mean: str = _field(
        "channel",
        "What the network subtracts; with --weights of that kind the file's. "
        + "; ".join(f"{key}: {text}" for key, text in PIXEL_MEANS.items()),
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
    on_bad_image: str = _field(
        "fail",
        "What an image that cannot be read does: fail, or mask:N to go on "
        "without up to N of them.",
    )

    # Optimisation.
    batch_size: int = _field(128, "Images an iteration, over all devices.")
    steps: int = _field(64_000, "Iterations of the whole run.")
    learning_rate: float = _field(0.1, "Base learning rate.")
    momentum: float = _field(0.9, "Momentum, 0 to 1.")
    momentum_rule: str = _field(
        "caffe",
        "; ".join(
            f"{key}: {text}" for key, text in optimizers.MOMENTUM_RULES.items()
        ),
    )
    nesterov: bool = _field(False, "Nesterov's momentum; not the papers'.")
    weight_decay: float = _field(1e-4, "L2, coupled into the momentum.")
    decay: str = _field("all", "Which variables decay: all or kernels.")
    label_smoothing: float = _field(
        0.0,
        "Part of each label that is spread over all classes, 0 to 1. Reports "
        "and metrics have the cross-entropy without it.",
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
    jit_compile: bool = _field(
        False, "Compile the training step by XLA; for one_device."
    )
    remat: bool = _field(
        False,
        "Compute each unit again for the gradient, which keeps less in memory "
        "and takes a third longer.",
    )

    # Learning rate.
    schedule: str = _field(
        "steps", "; ".join(f"{key}: {text}" for key, text in SCHEDULES.items())
    )
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

    # Iterations between reports, evaluations and checkpoints.
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
        variant = lookup(specs.VARIANTS, self.variant, "variant")
        self._check_architecture(variant)
        if self.freeze_until:
            parts = dict.fromkeys(variant.parts)
            lookup(parts, self.freeze_until, f"part of {self.variant}")
        lookup(SCHEDULES, self.schedule, "schedule")
        lookup(SHUFFLES, self.shuffle, "shuffle")
        lookup(PIXEL_MEANS, self.pixel_mean, "pixel mean")
        lookup(optimizers.DECAY_SCOPES, self.decay, "decay scope")
        lookup(optimizers.MOMENTUM_RULES, self.momentum_rule, "momentum rule")
        lookup(DTYPES, self.dtype, "dtype")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            require(
                not isinstance(value, float) or math.isfinite(value),
                f"{field.name} must be finite. Received: {value}.",
            )
        for name in _POSITIVE:
            value = getattr(self, name)
            require(value > 0, f"{name} must be > 0. Received: {value}.")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            require(value >= 0, f"{name} must be >= 0. Received: {value}.")
        require(
            self.batch_size % self.gradient_accumulation_steps == 0,
            "gradient_accumulation_steps must divide batch_size. Received: "
            f"gradient_accumulation_steps={self.gradient_accumulation_steps}, "
            f"batch_size={self.batch_size}.",
        )
        require(
            self.stage_learning_rate_decay <= 1,
            "stage_learning_rate_decay must be <= 1: earlier stages train "
            f"slower. Received: {self.stage_learning_rate_decay}.",
        )
        for name, limit in _BELOW.items():
            value = getattr(self, name)
            require(
                0 <= value < limit,
                f"{name} must be in [0, {limit}). Received: {value}.",
            )
        max_masked(self.on_bad_image)
        require(
            self.eval_resize >= self.image_size,
            "eval_resize must not be below image_size. Received: "
            f"eval_resize={self.eval_resize}, image_size={self.image_size}.",
        )
        require(
            list(self.boundaries) == sorted(self.boundaries)
            and min(self.boundaries, default=0) >= 0,
            "boundaries must ascend and not be below 0. "
            f"Received: {self.boundaries}.",
        )
        require(
            len(self.scale_range) == 2
            and self.image_size <= self.scale_range[0] <= self.scale_range[1]
            or self.augmentation not in ("imagenet", "scale_crop"),
            "scale_range must be two ascending sizes of the shorter side, not "
            f"below image_size. Received: {self.scale_range}.",
        )

    def _check_architecture(self, variant):
        require(
            not self.depths
            or len(self.depths) == len(variant.depths)
            and min(self.depths) > 0,
            f"depths must be {len(variant.depths)} numbers > 0, one for each "
            f"stage of {self.variant}, or empty. Received: {self.depths}.",
        )
        if self.placement:
            lookup(specs.PLACEMENTS, self.placement, "placement")
        if self.shortcut:
            lookup(specs.SHORTCUTS, self.shortcut, "shortcut")

    @property
    def architecture(self):
        """{field: value} of what replaces the variant's, for `build`."""
        names = ("depths", "placement", "shortcut")
        fields = {name: getattr(self, name) for name in names}
        return {name: value for name, value in fields.items() if value}


_POSITIVE = (
    "shuffle_blocks",
    "image_size",
    "batch_size",
    "gradient_accumulation_steps",
    "steps",
    "learning_rate",
    "warmup_learning_rate",
    "head_learning_rate_multiplier",
    "stage_learning_rate_decay",
    "plateau_evaluations",
    "log_every_steps",
    "eval_every_steps",
    "checkpoint_every_steps",
    "keep_checkpoints",
)

# Momentum 1 forgets nothing; a seed is NumPy's.
_BELOW = {
    "momentum": 1,
    "label_smoothing": 1,
    "ema_momentum": 1,
    "warmup_error": 1.001,
    "seed": 2**32,
}

_NOT_NEGATIVE = (
    "train_examples",
    "weight_decay",
    "warmup_steps",
    "precise_bn_batches",
    "pad_pixels",
    "keep_every_steps",
)


def max_masked(on_bad_image):
    """How many images `on_bad_image` lets a run mask: 0 for "fail".

    Raises:
        keras_resnet.UsageError: if it is neither "fail" nor "mask:N".
    """
    if on_bad_image == "fail":
        return 0
    kind, _, number = str(on_bad_image).partition(":")
    require(
        kind == "mask" and number.isdecimal() and int(number) > 0,
        "on_bad_image must be fail or mask:N, N the most images that a run "
        f"may do without. Received: {on_bad_image!r}.",
    )
    return int(number)


_CIFAR = Recipe()
_WARMUP = {"warmup_steps": 400}  # P1 4.2: "about 400 iterations"

_IMAGENET = Recipe(
    variant="resnet50",
    dataset="imagenet2012",
    image_size=224,
    eval_resize=256,
    augmentation="imagenet",
    batch_size=256,
    steps=600_000,  # P1 3.4
    schedule="plateau",
    log_every_steps=100,
    eval_every_steps=5_000,
    checkpoint_every_steps=5_000,
)

_IMAGENET_2016 = dataclasses.replace(
    _IMAGENET,
    # P2 sec. 5: a tenth at 30 and 60 epochs of 5,005 steps.
    schedule="steps",
    boundaries=(150_150, 300_300),
    steps=450_450,
)

RECIPES = types.MappingProxyType(
    {
        "digits": dataclasses.replace(
            _CIFAR,
            dataset="digits",
            image_size=16,
            eval_resize=16,
            augmentation="pad_crop",
            pad_pixels=2,
            batch_size=64,
            steps=600,
            boundaries=(350, 500),
            log_every_steps=5,
            eval_every_steps=25,
            checkpoint_every_steps=100,
        ),
        **{
            f"cifar10_resnet{depth}": dataclasses.replace(
                _CIFAR, variant=f"resnet{depth}"
            )
            for depth in (20, 32, 44, 56)
        },
        **{
            f"cifar10_plainnet{depth}": dataclasses.replace(
                _CIFAR, variant=f"plainnet{depth}"
            )
            for depth in (20, 32, 44, 56, 110)
        },
        **{
            f"cifar10_{variant}": dataclasses.replace(
                _CIFAR, variant=variant, **_WARMUP
            )
            for variant in (
                "resnet110",
                "resnet1202",
                "resnet110_v2",
                "resnet164_v2",
                "resnet1001_v2",
            )
        },
        **{
            f"imagenet_{variant}": dataclasses.replace(
                _IMAGENET, variant=variant
            )
            for variant in (
                "plainnet18",
                "plainnet34",
                "resnet18",
                "resnet18_a",
                "resnet34",
                "resnet34_a",
                "resnet34_c",
                "resnet50",
                "resnet101",
                "resnet152",
            )
        },
        # P2's text compares it with P1's ResNet-101.
        "imagenet_resnet101_bn_after_add": dataclasses.replace(
            _IMAGENET, variant="resnet101", placement="bn_after_add"
        ),
        **{
            f"imagenet_{variant}": dataclasses.replace(
                _IMAGENET_2016, variant=variant
            )
            for variant in ("resnet152_v2", "resnet200", "resnet200_v2")
        },
        # P2 Table 5, last row, by fb.resnet.torch's crops and colours.
        "imagenet_resnet200_v2_area": dataclasses.replace(
            _IMAGENET_2016,
            variant="resnet200_v2",
            augmentation="area_crop_color",
        ),
        # Not the papers': their networks on few images of other classes.
        # Takes --weights, --dataset=folder:PATH and, for other weights than
        # ImageNet's, --variant and the sizes of the images.
        "finetune": dataclasses.replace(
            _IMAGENET,
            variant="resnet18",
            dataset="folder:photographs",
            batch_size=32,
            steps=500,
            learning_rate=0.005,
            decay="kernels",
            schedule="steps",
            boundaries=(350, 450),
            freeze_batch_norm=True,
            head_learning_rate_multiplier=10.0,
            stage_learning_rate_decay=0.5,
            log_every_steps=10,
            eval_every_steps=50,
            checkpoint_every_steps=100,
        ),
    }
)


def load(name, overrides=None):
    """The recipe of a name, with some fields changed.

    Args:
        name: key of `RECIPES`.
        overrides: dict from field names to values.

    Raises:
        keras_resnet.UsageError: if the name or a field is unknown, or a value
            cannot work.
    """
    recipe = lookup(RECIPES, name, "recipe")
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    for field in overrides or {}:
        lookup(fields, field, "recipe field")
    return dataclasses.replace(recipe, **(overrides or {}))
