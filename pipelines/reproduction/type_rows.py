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
    answer="None that three seeds tell apart, on a CPU that multiplies "
    "bfloat16. By the same seeds bfloat16 errs on Fashion-MNIST on -0.3, 0.3 "
    "and 0.1 points more at 20 layers and 0.0, 1.2 and 0.0 at 56; the sampling "
    "error of such a difference is 0.5. Two of the three ResNet-56 know their "
    "training images less well, 2.8 and 1.8 % of errors beside 0.3 and 0.6, "
    "one better. On the digits the medians lie within a sampling error. The "
    "float32 rows have the same errors on an Intel Xeon, digit for digit; "
    "bfloat16's differ on a CPU without instructions for it, where ResNet-20 "
    "erred on 0.2 to 0.6 points more: one sign of three seeds says little.",
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
