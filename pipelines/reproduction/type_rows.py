"""Training in bfloat16 beside float32, as data."""

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting
from reproduction.scales import AUGMENTED
from reproduction.scales import DIGITS
from reproduction.scales import FASHION_2000
from reproduction.scales import SMALL_IMAGES
from reproduction.scales import schedule_of

DTYPES = Experiment(
    title="bfloat16",
    question="Does training in mixed_bfloat16 cost accuracy?",
    source="none in the papers, which train in float32",
    answer="On the digits the medians of both types lie within a sampling "
    "error of each other, at 20 and at 56 layers. On Fashion-MNIST a ResNet-20 "
    "errs in bfloat16 on 0.2, 0.4 and 0.6 points more, by the same seeds: no "
    "one of these is twice the sampling error of 0.5, but all have one sign. "
    "Of 56 layers there one seed has been run in both: 17.2 % and 16.7 in "
    "bfloat16.",
    unit="none",
    rows={
        f"ResNet-{depth}_{dtype}": Row(
            variant=f"resnet{depth}",
            panel=f"ResNet-{depth}",
            overrides={"dtype": dtype},
        )
        for depth in (20, 56)
        for dtype in ("float32", "mixed_bfloat16")
    },
    settings={
        "quick": {
            "digits": Setting(recipe={**DIGITS, **schedule_of(600)}),
            "fashion_mnist": Setting(
                recipe={**FASHION_2000, **schedule_of(1000)}
            ),
        }
    },
    silent=(
        "weights, momentum, batch normalisation's statistics and the loss are "
        "float32 in both; the types share their seeds, so the same weights "
        "and batches",
        AUGMENTED,
        SMALL_IMAGES,
    ),
)
