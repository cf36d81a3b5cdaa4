"""What experiments of the quick and of the full scale have in common.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

from reproduction.jobs import Setting

from keras_resnet.networks import papers

# P1 4.2: until the training error is below 80 %, "about 400 iterations".
WARM = {"warmup_steps": 400}
# P2 sec. 3: "the first 400 iterations", for every network.
WARM_2016 = {"warmup_steps": 400, "warmup_error": 0.0}
WARM_QUICK = {"warmup_steps": 50, "warmup_error": 0.0}

# Data sets of the full scale: CIFAR's schedule and augmentation on each.
# A mean image is for the papers' own data set.
COLOR = {"pixel_mean": "channel"}
FASHION = {"image_size": 28, "eval_resize": 28, "pad_pixels": 2, **COLOR}
FULL = {
    "cifar10": Setting(seeds=5),
    "cifar100": Setting(seeds=5),
    "fashion_mnist": Setting(recipe=FASHION, seeds=5),
}
FULL_2016 = {
    dataset: setting._replace(recipe={**setting.recipe, **WARM_2016})
    for dataset, setting in FULL.items()
}
# For a GPU that is there for minutes.
QUARTER = {
    "fashion_mnist": Setting(
        recipe={**FASHION, "steps": 16_000, "boundaries": (8_000, 12_000)}
    )
}
# The quick scale: small images, half the papers' batch and half their rate,
# their momentum and decay, and a tenth of the rate after 3/5 and 9/10.
QUICK = {
    "batch_size": 64,
    "learning_rate": 0.05,
    "log_every_steps": 25,
    **COLOR,
}
DIGITS = {
    **QUICK,
    "image_size": 8,
    "eval_resize": 8,
    "augmentation": "pad_crop",
    "pad_pixels": 1,
}
# Few enough images to be learnt whole, so that an optimiser that fails is seen.
FASHION_2000 = {
    **QUICK,
    "image_size": 14,
    "eval_resize": 14,
    "augmentation": "none",
    "train_examples": 2000,
}
# At 0.05 the order of P2's Table 1 is another than at lower rates.
RATES = (0.005, 0.01, 0.02, 0.05)


def at_each_rate(quick):
    """The settings of the scale "rates": the quick ones, over the grid."""
    return {name: its._replace(rates=RATES) for name, its in quick.items()}


def printed(variant, place):
    """What the papers print of a network on CIFAR-10; "" for nothing."""
    return papers.find(papers.CIFAR_10, variant, place)[0] or ""


def schedule_of(steps):
    """Fields of a schedule of so many iterations."""
    return {
        "steps": steps,
        "boundaries": (steps * 3 // 5, steps * 9 // 10),
        "eval_every_steps": steps // 10,
        "checkpoint_every_steps": steps // 5,
    }


SMALL_IMAGES = (
    "the quick scale shrinks images to 8 (digits) and 14 (Fashion-MNIST) "
    "pixels, so that the last stage has maps of 2x2 and 4x4, and takes 2,000 "
    "training images of Fashion-MNIST, evenly spaced, as they are"
)
AUGMENTED = (
    "training error is that of all iterations since the evaluation before, on "
    "the images that they saw and while the weights changed; P1 does not say"
)
ONE_RATE = (
    "the quick scale trains every row at 0.05, which is above the best rate of "
    "some rows and not of others: its order is that rate's. The scale `rates` "
    "has each row at four rates, 287 of the 1,438 digits held out to choose by "
    "and a warm-up at a fifth of the rate"
)
PER_GPU = (
    "P1's batch of 128 is 64 on each of two GPUs, and BN sees 64. It does at "
    "the quick scale, whose batch is 64. At the others it sees all 128; "
    "--gradient_accumulation_steps=2 divides them"
)
