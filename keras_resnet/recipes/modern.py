"""Later recipes for ResNet-50 on ImageNet, field by field, with their sources.

TV is torchvision's references/classification: the command of the weights
IMAGENET1K_V2, and the defaults of its train.py. RSB is Wightman et al. 2021,
arXiv 2110.00476, Table 2, and timm stands for its program and classes, where
the table is silent. Brackets in a source say what differs from it here.

Both programs set the learning rate once an epoch, here it is set at each
iteration. They resize as Pillow does, timm by bicubic filters; here filters are
bilinear throughout.
"""

import types

# 1,281,167 images; torchvision's sampler gives 5,004 times 256 of them in an
# epoch, timm drops what does not fill a batch.
_TV_EPOCH = 5_004 * 256 // 1_024
_RSB_EPOCH = 1_281_167 // 2_048

# Of the weights at each 32nd iteration, as if it counted all epochs as one.
_TV_AVERAGE = 1 - (1 - 0.99998) * 1_024 * 32 / 600

_TORCHVISION_V2 = {
    "variant": ("resnet50_v1_5", "TV --model resnet50"),
    "dataset": ("imagenet2012", "TV"),
    "image_size": (176, "TV --train-crop-size"),
    "eval_size": (224, "TV train.py: --val-crop-size"),
    "eval_resize": (232, "TV --val-resize-size"),
    "augmentation": ("area_crop", "TV presets.py: RandomResizedCrop, flip"),
    "policy": ("trivial_augment", "TV --auto-augment ta_wide"),
    "policy_interpolation": ("bilinear", "TV train.py: --interpolation"),
    "erasing": (0.1, "TV --random-erase"),
    "repeated_augmentation": (4, "TV --ra-sampler --ra-reps"),
    "batch_size": (1_024, "TV --batch-size 128 on 8 GPUs"),
    "steps": (600 * _TV_EPOCH, "TV --epochs 600"),
    "learning_rate": (0.5, "TV --lr"),
    "schedule": ("cosine", "TV --lr-scheduler cosineannealinglr"),
    "final_learning_rate": (0.0, "TV train.py: --lr-min"),
    "warmup": ("linear", "TV --lr-warmup-method"),
    "warmup_steps": (5 * _TV_EPOCH, "TV --lr-warmup-epochs"),
    "warmup_learning_rate": (0.005, "TV train.py: --lr-warmup-decay 0.01"),
    "momentum": (0.9, "TV train.py: --momentum"),
    "momentum_rule": ("torch", "TV train.py: torch.optim.SGD"),
    "weight_decay": (2e-5, "TV --weight-decay"),
    "decay": (
        "kernels",
        "TV --norm-weight-decay 0.0 [the classifier's bias decays there]",
    ),
    "label_smoothing": (0.1, "TV --label-smoothing"),
    "mixup_alpha": (0.2, "TV --mixup-alpha"),
    "cutmix_alpha": (
        1.0,
        "TV --cutmix-alpha [partners there are the batch's next image]",
    ),
    "ema_momentum": (
        _TV_AVERAGE ** (1 / 32),
        "TV --model-ema; train.py: --model-ema-decay 0.99998, "
        "--model-ema-steps 32, set off against batch and epochs [every "
        "iteration here; BN's statistics are averaged too there, and the "
        "average begins after the warm-up]",
    ),
}


def _strikes_back(column):
    """The fields of a procedure: 0 is A1, 1 is A2, 2 is A3."""
    table = "RSB Table 2"
    epochs = (600, 300, 100)[column]
    return {
        "variant": ("resnet50_v1_5", "timm resnet50"),
        "zero_gamma": (True, "timm ResNet: zero_init_last"),
        "stochastic_depth": (
            (0.05, 0.05, 0.0)[column],
            f"{table} [timm's first unit has 0, here a 16th of it]",
        ),
        "dataset": ("imagenet2012", "RSB sec. 3"),
        "image_size": ((224, 224, 160)[column], f"{table}: train res"),
        "eval_size": (224, f"{table}: test res"),
        "eval_resize": (235, f"{table}: test crop ratio 0.95, as timm rounds"),
        "augmentation": ("area_crop", f"{table}: RRC, H. flip"),
        "policy": ("rand_augment", table),
        "policy_magnitude": ((7.0, 7.0, 6.0)[column], table),
        "policy_magnitude_deviation": (0.5, table),
        "policy_layers": (2, "timm: rand-m7-mstd0.5-inc1"),
        "policy_increasing": (True, "timm: inc1"),
        "policy_interpolation": (
            "bilinear",
            "timm [bilinear or bicubic by chance there]",
        ),
        "repeated_augmentation": ((3, 3, 1)[column], f"{table}; timm: 3"),
        "batch_size": (2_048, table),
        "steps": (epochs * _RSB_EPOCH, f"{table}: {epochs} epochs"),
        "optimizer": ("lamb", table),
        "learning_rate": ((5e-3, 5e-3, 8e-3)[column], table),
        "schedule": ("cosine", table),
        "final_learning_rate": (1e-6, "timm train.py: --min-lr, then"),
        "warmup": ("linear", "timm"),
        "warmup_steps": (5 * _RSB_EPOCH, f"{table}: 5 epochs"),
        "warmup_learning_rate": (1e-4, "timm train.py: --warmup-lr, then"),
        "momentum": (0.9, "timm Lamb: beta 1"),
        "clip_norm": (1.0, "timm Lamb: max_grad_norm"),
        "weight_decay": ((0.01, 0.02, 0.02)[column], table),
        "decay": ("kernels", "timm: filter_bias_and_bn"),
        "loss": ("binary", f"{table}: BCE"),
        "target_threshold": (
            (0.0, 0.2, 0.2)[column],
            "a port of timm's settings to A2 and A3; the paper has no number "
            "[A1's smoothing would be lost in it]",
        ),
        "label_smoothing": ((0.1, 0.0, 0.0)[column], table),
        "mixup_alpha": ((0.2, 0.1, 0.1)[column], table),
        "cutmix_alpha": (1.0, table),
        "dtype": ("mixed_float16", f"{table}: mixed precision"),
    }


_REPORTS = {
    "log_every_steps": (100, "ours"),
    "eval_every_steps": (5_000, "ours"),
    "checkpoint_every_steps": (5_000, "ours"),
}

# Ours, from torchvision's: for a folder of a few thousand photographs and one
# device, from random weights. Takes --dataset=folder:PATH, and --steps.
_SMALL = {
    **_TORCHVISION_V2,
    "variant": ("resnet18", "ours: as own_images has it"),
    "dataset": ("folder:photographs", "ours"),
    "exif": ("apply", "ours: phones write photographs as they were held"),
    "repeated_augmentation": (1, "ours: batches are small"),
    "batch_size": (32, "ours"),
    "steps": (6_000, "ours"),
    "learning_rate": (0.025, "ours: as own_images has it"),
    "warmup_steps": (300, "ours: 5 %"),
    "warmup_learning_rate": (0.00025, "ours: a hundredth, as TV"),
    "weight_decay": (1e-4, "P1 3.4"),
    "ema_momentum": (0.999, "ours: of about 1,000 iterations"),
    "log_every_steps": (10, "ours"),
    "eval_every_steps": (200, "ours"),
    "checkpoint_every_steps": (200, "ours"),
}

# {name of a recipe: {field: (value, source)}}.
PROCEDURES = types.MappingProxyType(
    {
        "imagenet_resnet50_torchvision_v2": {**_TORCHVISION_V2, **_REPORTS},
        **{
            f"imagenet_resnet50_a{column + 1}": {
                **_strikes_back(column),
                **_REPORTS,
            }
            for column in range(3)
        },
        "modern_small": _SMALL,
    }
)


def fields(name):
    """{field: value} of a procedure, for a `recipes.Recipe`."""
    return {field: value for field, (value, _) in PROCEDURES[name].items()}
