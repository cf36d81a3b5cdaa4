"""What networks cost, as data: the papers' counts, and nets for `remat`.

P1 is He et al. 2015, arXiv 1512.03385; P2 He et al. 2016, arXiv 1603.05027.
"""

import dataclasses

from reproduction.jobs import Experiment
from reproduction.jobs import Row
from reproduction.jobs import Setting

from keras_resnet.networks import papers
from keras_resnet.networks import specs

# In place of a data set.
NO_DATA, RANDOM_PIXELS = "no_data", "random_pixels"

# No images, of which there could be a mean.
_COLOR = {"pixel_mean": "channel"}


def _row(name):
    size = specs.STEMS[specs.VARIANTS[name].stem].image_size
    printed = [
        f"{figure} {unit}"
        for figures, unit in (
            (papers.PARAMETERS, "M parameters"),
            (papers.MULTIPLY_ADDS, "G multiply-adds"),
        )
        if (figure := papers.find(figures, name)[0])
    ]
    return Row(
        variant=name,
        paper=", ".join(printed),
        overrides={"image_size": size, "eval_resize": size},
    )


# Networks of Keras' own, and what P1 secs. 1 and 3.3 print of their
# multiply-adds, in 1e9. Here their rows have the recipe of the plain network
# that P1 sets beside them, of the same images.
VGG = {"VGG-16": "15.3", "VGG-19": "19.6"}

COSTS = Experiment(
    title="Costs",
    question="What does a network cost in weights, arithmetic and memory?",
    source="P1 Tables 1 and 6, Fig. 3",
    unit="multiply-adds or parameters",
    module="costs",
    rows={
        **{name: _row(name) for name in specs.VARIANTS},
        **{
            name: dataclasses.replace(
                _row("plainnet34"), paper=f"{printed} G multiply-adds"
            )
            for name, printed in VGG.items()
        },
    },
    settings={"full": {NO_DATA: Setting(recipe=_COLOR, seeds=1)}},
    silent=(
        "VGG is Simonyan and Zisserman 2014, arXiv 1409.1556, as "
        "`keras.applications` builds it, without BN and with three dense "
        "layers",
        "parameters are trainable ones, BN's scales and offsets with them; "
        "multiply-adds are those of convolutions and the classifier",
        "activations are what TensorFlow's gradients read of one image in "
        "float32: inputs of convolutions, of BN and of the classifier, outputs "
        "of ReLUs, inputs and outputs of max-pooling, masks of dropout, and "
        "what a gate multiplies; each tensor once. Copies padded before a "
        "strided convolution are its inputs; what a kernel needs while it "
        "runs is not counted",
        "computed again: inputs of all units, what stem and head keep, and "
        "what the greatest unit keeps within, which is there while its "
        "gradient is computed (Chen et al. 2016, arXiv 1604.06174)",
        "the paper's parameters of 164 and 1001 layers are those that "
        "Zagoruyko and Komodakis 2016 print, arXiv 1605.07146, Table 5",
        "neither paper prints the memory of a network",
    ),
)

REMAT = Experiment(
    title="Units computed again",
    question="What do 1001 and 1202 layers gain if units are computed again?",
    source="none in the papers; Chen et al. 2016, arXiv 1604.06174",
    module="remat",
    rows={
        "preactivation_1001": Row(variant="resnet1001_v2"),
        "ResNet-1202": Row(variant="resnet1202"),
    },
    settings={
        "quick": {
            RANDOM_PIXELS: Setting(
                recipe={
                    **_COLOR,
                    "batch_size": 16,
                    "steps": 3,
                    "boundaries": (),
                },
                seeds=1,
            )
        }
    },
    silent=(
        "the papers' batches are of 128 images on two GPUs; this is one "
        "process on CPUs with 16 random images, at a learning rate of 0, so "
        "that each iteration is of the same weights",
        "MB are the process's resident size, after the network is built, and "
        "the most to the end of the first iteration, which traces the graph",
        "a difference is the greatest over all variables, of each the "
        "greatest absolute difference over the greatest absolute gradient; "
        "'when repeated' is that of two iterations of the same process",
    ),
)
