"""What tools for image classifiers are told of a network of this library."""

from keras_resnet.export.writers.metadata_schema import ASSOCIATED_FILE_TYPE
from keras_resnet.export.writers.metadata_schema import COLOR_SPACE_TYPE
from keras_resnet.export.writers.metadata_schema import MIN_PARSER_VERSION
from keras_resnet.export.writers.metadata_schema import table
from keras_resnet.inference.artifact import IMAGES
from keras_resnet.inference.artifact import PROBABILITIES
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS


def classifier_metadata(*, name, description, input_range, output_range):
    """The metadata of a network from pixels to probabilities.

    Args:
        name, description: str, of the network, for people.
        input_range, output_range: the least and the greatest value of the
            input and of the output tensor.

    Returns:
        `metadata_schema.Table` of the kind ModelMetadata, which names the
        files labels.txt and card.json.
    """
    subgraph = table(
        "SubGraphMetadata",
        input_tensor_metadata=[_images(input_range)],
        output_tensor_metadata=[_probabilities(output_range)],
    )
    card = _file(CARD, "How to resize images, and more.", "DESCRIPTIONS")
    return table(
        "ModelMetadata",
        name=name,
        description=description,
        subgraph_metadata=[subgraph],
        associated_files=[card],
        min_parser_version=MIN_PARSER_VERSION,
    )


def _images(value_range):
    rgb = table("ImageProperties", color_space=COLOR_SPACE_TYPE["RGB"])
    # Pixels go in as they are: (pixel - 0) / 1.
    identity = table("NormalizationOptions", mean=[0.0], std=[1.0])
    return table(
        "TensorMetadata",
        name=IMAGES,
        description="RGB image, a square of pixels.",
        content=table("Content", content_properties=rgb),
        process_units=[table("ProcessUnit", options=identity)],
        stats=_stats(value_range),
    )


def _probabilities(value_range):
    labels = _file(LABELS, "Class names, one a line.", "TENSOR_AXIS_LABELS")
    feature = table("FeatureProperties")
    return table(
        "TensorMetadata",
        name=PROBABILITIES,
        description="Probabilities of the classes; their sum is 1.",
        content=table("Content", content_properties=feature),
        stats=_stats(value_range),
        associated_files=[labels],
    )


def _file(name, description, kind):
    kind = ASSOCIATED_FILE_TYPE[kind]
    return table(
        "AssociatedFile", name=name, description=description, type=kind
    )


def _stats(value_range):
    least, greatest = map(float, value_range)
    return table("Stats", max=[greatest], min=[least])
