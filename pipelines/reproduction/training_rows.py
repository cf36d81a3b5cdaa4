"""P1's experiments that train networks by its schedule, as data.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting
from reproduction.scales import AUGMENTED
from reproduction.scales import DIGITS
from reproduction.scales import FASHION_2000
from reproduction.scales import FULL
from reproduction.scales import ONE_RATE
from reproduction.scales import PER_GPU
from reproduction.scales import QUARTER
from reproduction.scales import SMALL_IMAGES
from reproduction.scales import WARM
from reproduction.scales import at_each_rate
from reproduction.scales import printed
from reproduction.scales import schedule_of

from keras_resnet.networks import papers

DEGRADATION = Experiment(
    title="Degradation",
    question="Do deeper networks get worse on the images they are trained on?",
    source="P1 Fig. 6, Table 6",
    answer="Plain ones do: on the digits they err on 0.00, 0.00, 0.71, 27.39 "
    "and 88.07 % of the training images with 20, 32, 44, 56 and 110 layers; "
    "residual networks, pre-activated or not, on at most 0.02 % with any of "
    "three seeds. Residual networks come to 5 % after 200 to 400 iterations "
    "at each depth, plain ones of 44 layers after 1,600, deeper ones never. On "
    "2,000 images of Fashion-MNIST plain-56 errs on 20.95 %, plain-20 and both "
    "residual networks on at most 0.01 %. On all of it plain-56 errs on 5.1 "
    "points more than plain-20, ResNet-56 on 0.7 more than ResNet-20.",
    rows={
        **{
            f"plain-{depth}": Row(
                variant=f"plainnet{depth}",
                paper=printed(f"plainnet{depth}", "P1 sec. 4.2"),
                panel="plain",
            )
            for depth in (20, 32, 44, 56, 110)
        },
        **{
            f"ResNet-{depth}": Row(
                variant=f"resnet{depth}",
                paper=printed(f"resnet{depth}", "P1 Table 6"),
                panel="residual",
                overrides=WARM if depth == 110 else {},
            )
            for depth in (20, 32, 44, 56, 110)
        },
        **{
            f"ResNet-{depth}_v2": Row(
                variant=f"resnet{depth}",
                paper=printed(f"resnet{depth}_v2", "P2 Table 2"),
                panel="pre-activated",
                overrides={
                    "placement": "full_preact",
                    **(WARM if depth == 110 else {}),
                },
            )
            for depth in (20, 32, 44, 56, 110)
        },
    },
    settings={
        "quick": {
            "digits": Setting(
                recipe={**DIGITS, **schedule_of(2000), "augmentation": "none"}
            ),
            "fashion_mnist": Setting(
                recipe={**FASHION_2000, **schedule_of(2000)}
            ),
        },
        "quarter": QUARTER,
        "full": FULL,
    },
    silent=(
        AUGMENTED,
        SMALL_IMAGES,
        "on the GPU four processes shared it, two for seed 1 of 56 layers: the "
        "seconds and the speeds in the records are of a part of it",
        "P1 plots plain-20 to 56 without figures; plain-110 is in the text",
        "the pre-activated networks, _v2, are P2's and train as the others do",
        PER_GPU,
    ),
)

_QUICK_OPTIONS = {
    "digits": Setting(recipe={**DIGITS, **schedule_of(600)}),
    "fashion_mnist": Setting(recipe={**FASHION_2000, **schedule_of(2000)}),
}
OPTIONS = Experiment(
    title="Shortcut options A, B and C",
    question="Does it matter how a shortcut changes its shape?",
    source="P1 Table 3",
    answer="It does where all of them are 1x1 convolutions, in 56 layers: C "
    "errs on more than A at each of four rates with each seed, on 11.14 % at "
    "its best, and on 10.99 % of the training images. A and B are not told "
    "apart at theirs, 1.39 and 2.23 %. In the paper's 34 layers C is best by a "
    "third of a point.",
    unit="10-crop top-1 error of ResNet-34 on ImageNet, %",
    rows={
        option: Row(
            variant="resnet56",
            paper=papers.TEN_CROPS["P1 Table 3"][variant][0],
            overrides={"shortcut": option},
        )
        for option, variant in (
            ("A", "resnet34_a"),
            ("B", "resnet34"),
            ("C", "resnet34_c"),
        )
    },
    settings={
        "quick": _QUICK_OPTIONS,
        "rates": at_each_rate(_QUICK_OPTIONS),
        "full": FULL,
    },
    silent=(
        "P1 compares them on ImageNet (experiment imagenet); here in a "
        "ResNet-56",
        "in P2 Table 1 the same shortcuts in 110 layers, its row conv1x1, are "
        "far behind: C in this ResNet-56 and `resnet110_conv1x1` (experiment "
        "shortcuts) are one kind of network of two depths",
        ONE_RATE,
        SMALL_IMAGES,
    ),
)

_QUICK_WARMUP = {"digits": Setting(recipe={**DIGITS, **schedule_of(600)})}
_OF_110 = ("ResNet-110_warmup", "ResNet-110_none")
WARMUP = Experiment(
    title="Warm-up",
    question="Do 110 and 1202 layers need a start at 0.01?",
    source="P1 sec. 4.2",
    answer="Not at their best rate: of four rates 110 layers err at it on "
    "1.95 % with a warm-up and 1.67 % without, not told apart. At 0.05 they "
    "err on 10.03 and 18.66 %, on more without it with each of three seeds, "
    "but with one of them not told apart. 1202 layers were not run.",
    unit="test error on CIFAR-10 (with the warm-up), %",
    rows={
        f"ResNet-{depth}_{name}": Row(
            variant=f"resnet{depth}",
            paper=paper and printed(f"resnet{depth}", "P1 Table 6"),
            panel=f"ResNet-{depth}",
            overrides=overrides,
        )
        for depth in (110, 1202)
        for name, overrides, paper in (
            ("warmup", WARM, "printed"),
            ("none", {"warmup_steps": 0}, ""),
        )
    },
    settings={
        "quick": _QUICK_WARMUP,
        "rates": at_each_rate(
            {"digits": _QUICK_WARMUP["digits"]._replace(rows=_OF_110)}
        ),
        "full": FULL,
    },
    silent=(
        "P1 says that 0.1 'is slightly too large to start converging' and "
        "prints no figure for a run without; its footnote 5 says that such a "
        "run starts late 'but still reaches similar accuracy'. In 600 "
        "iterations ours does not: whether it would in 64,000 was not run",
        ONE_RATE,
        SMALL_IMAGES,
    ),
)
