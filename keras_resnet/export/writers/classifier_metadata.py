"""What tools for image classifiers are told of a network of this library."""

from keras_resnet.export.writers.metadata_schema import ASSOCIATED_FILE_TYPE
from keras_resnet.export.writers.metadata_schema import COLOR_SPACE_TYPE
from keras_resnet.export.writers.metadata_schema import MIN_PARSER_VERSION
from keras_resnet.export.writers.metadata_schema import Table
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS

DESCRIPTION = (
    "A residual network of keras_resnet. It takes RGB pixels 0..255 as they "
    "are, since its normalisation is inside, and gives a probability for each "
    "class."
)


FEATURES_OF = (
    "A residual network of keras_resnet that gives features, not classes. It "
    "takes RGB pixels 0..255 as they are, since its normalisation is inside."
)
FEATURES = "Features of the image; the name says where in the network."
EXCLUSIVE = "Probabilities of the classes; their sum is 1."
INDEPENDENT = (
    "Independent probabilities of the classes: an image may have none, one or "
    "several of them. Yes is above 0.5."
)


def classifier_metadata(name, greatest, multi_label=False):
    """The metadata, a ModelMetadata, of a network from pixels to probabilities.

    They name the files labels.txt and card.json. `name` is for people;
    `greatest` is the value of a probability of 1 in the output tensor;
    `multi_label` is whether the probabilities are independent.
    """
    subgraph = Table(
        "SubGraphMetadata",
        input_tensor_metadata=[_images()],
        output_tensor_metadata=[_probabilities(greatest, multi_label)],
    )
    return _metadata(name, DESCRIPTION, subgraph)


def feature_metadata(name, outputs):
    """The same for a network that gives features: `outputs` are their names.

    The names are in the order of the file's tensors.
    """
    subgraph = Table(
        "SubGraphMetadata",
        input_tensor_metadata=[_images()],
        output_tensor_metadata=[
            Table("TensorMetadata", name=output, description=FEATURES)
            for output in outputs
        ],
    )
    return _metadata(name, FEATURES_OF, subgraph)


def _metadata(name, description, subgraph):
    card = _file(CARD, "How to resize images, and more.", "DESCRIPTIONS")
    return Table(
        "ModelMetadata",
        name=name,
        description=description,
        subgraph_metadata=[subgraph],
        associated_files=[card],
        min_parser_version=MIN_PARSER_VERSION,
    )


def _images():
    rgb = Table("ImageProperties", color_space=COLOR_SPACE_TYPE["RGB"])
    # Pixels go in as they are: (pixel - 0) / 1.
    identity = Table("NormalizationOptions", mean=[0.0], std=[1.0])
    return Table(
        "TensorMetadata",
        name=IMAGES,
        description="RGB image, a square of pixels.",
        content=Table("Content", content_properties=rgb),
        process_units=[Table("ProcessUnit", options=identity)],
        stats=_stats(255),
    )


def _probabilities(greatest, multi_label):
    labels = _file(LABELS, "Class names, one a line.", "TENSOR_AXIS_LABELS")
    feature = Table("FeatureProperties")
    return Table(
        "TensorMetadata",
        name=PROBABILITIES,
        description=INDEPENDENT if multi_label else EXCLUSIVE,
        content=Table("Content", content_properties=feature),
        stats=_stats(greatest),
        associated_files=[labels],
    )


def _file(name, description, kind):
    kind = ASSOCIATED_FILE_TYPE[kind]
    return Table(
        "AssociatedFile", name=name, description=description, type=kind
    )


def _stats(greatest):
    return Table("Stats", max=[float(greatest)], min=[0.0])
