"""Puts labels and card into a .tflite file.

The format is TFLite Model Metadata: a separate flatbuffer in a buffer of the
model, and the files that it names in a ZIP archive after the model. A generic
image classifier of LiteRT's or MediaPipe's tools then needs no other file.
Runtimes that do not know the format skip both.
"""

import io
import zipfile

import flatbuffers
import numpy as np

from keras_resnet.errors import require
from keras_resnet.export.writers.classifier_metadata import classifier_metadata
from keras_resnet.export.writers.classifier_metadata import feature_metadata
from keras_resnet.export.writers.metadata_schema import flatbuffer
from keras_resnet.labels.cards import CARD
from keras_resnet.labels.cards import LABELS

# The names by which readers find the flatbuffer, and a .tflite file itself.
BUFFER_NAME = b"TFLITE_METADATA"
MODEL_IDENTIFIER = b"TFL3"
# Of a tensor's bytes: `force_align: 16` in TFLite's schema.fbs.
ALIGNMENT = 16
# ZIP's number for the system whose permissions an archive stores.
UNIX = 3


def add_metadata(content, *, card, name):
    """A .tflite file with its labels and its card inside.

    Equal arguments give equal bytes. Metadata that is already there is
    replaced. Tensors, operators and signatures stay as they are.

    Args:
        content: bytes of a .tflite file. It takes images, float32 or uint8
            (B, S, S, 3), and gives probabilities, float32 or uint8 (B, K).
            MediaPipe takes files with B = 1 only.
        card: `keras_resnet.labels.cards.Card` with K names and the size S; the
            file gets it without the path of a data set.
        name: of the network, for people.

    Returns:
        bytes of the new file.

    Raises:
        keras_resnet.UsageError: if it is another kind of file, or card and
            file do not match.
    """
    from ai_edge_litert import schema_py_generated as schema

    require(
        content[4:8] == MODEL_IDENTIFIER,
        "Expected the bytes of a .tflite file, which hold TFL3 behind the "
        f"first four. Received: {len(content)} bytes that do not.",
    )
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    greatest = {schema.TensorType.FLOAT32: 1.0, schema.TensorType.UINT8: 255.0}
    images, *given = _tensors(model, len(card.outputs) or 1)
    for tensor in (images, *given):
        _check_type(tensor, greatest)
    _check_images(images, card)
    if card.outputs:
        metadata = feature_metadata(name, _output_names(model))
    else:
        _check_classes(given[0], card)
        kind = greatest[given[0].type]
        metadata = classifier_metadata(name, kind, card.multi_label)
    _set_buffer(model, flatbuffer(metadata), schema)
    builder = _AlignedBuilder(len(content) + 2**16)
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    return _with_files(bytes(builder.Output()), card.public().texts())


def _output_names(model):
    """What a model's signature calls its outputs, in their order."""
    (signature,) = model.signatureDefs
    names = {one.tensorIndex: one.name for one in signature.outputs}
    return [names[index].decode() for index in model.subgraphs[0].outputs]


def _tensors(model, count):
    """The one input and the `count` outputs of a model."""
    graph = model.subgraphs[0]
    found = [graph.tensors[i] for i in (*graph.inputs, *graph.outputs)]
    require(
        len(model.subgraphs) == len(graph.inputs) == 1
        and len(graph.outputs) == count,
        "Expected a .tflite file of one graph with one input and "
        f"{'one output' if count == 1 else f'{count} outputs'}. "
        f"Received: {len(model.subgraphs)} graphs, the first with "
        f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs.",
    )
    return found


def _check_type(tensor, types):
    require(
        tensor.type in types,
        "Image classifiers feed and read float32 or uint8, not int8 or "
        "others: convert with inference_input_type and inference_output_type "
        f"tf.uint8. Received: {tensor.name.decode()!r} of another type.",
    )


def _check_classes(probabilities, card):
    count = len(card.class_names)
    require(
        probabilities.shape[-1] == count,
        f"The .tflite file has {probabilities.shape[-1]} classes, its "
        f"{LABELS} {count} names: they are not of the same model.",
    )


def _check_images(images, card):
    size = card.image_size
    require(
        list(images.shape[1:]) == [size, size, 3],
        f"The .tflite file must take RGB images of {size} x {size} pixels, as "
        f"its {CARD} says. Received: input shape {images.shape.tolist()}.",
    )
    scale, zero = _quantization(images)
    require(
        zero == 0 and abs(255 * scale - 255) <= 0.5,
        "Image classifiers put pixels in as they are, but the input's 0 and "
        f"255 mean {-zero * scale:.1f} and {(255 - zero) * scale:.1f} here: "
        "calibrate with images that hold black and white pixels.",
    )


def _quantization(tensor):
    """(scale, zero point) of a tensor: what a step is worth, what 0 is."""
    found = tensor.quantization
    if found is None or found.scale is None or not len(found.scale):
        return 1.0, 0
    return float(found.scale[0]), int(found.zeroPoint[0])


class _AlignedBuilder(flatbuffers.Builder):
    """Aligns bytes as TFLite's schema asks; generated Python code does not."""

    def StartVector(self, element_size, num_elements, alignment):
        if element_size == 1:
            alignment = ALIGNMENT
        return super().StartVector(element_size, num_elements, alignment)


def _set_buffer(model, data, schema):
    """Makes `data` the model's metadata, in place of earlier metadata."""
    model.metadata = model.metadata or []
    entry = next((m for m in model.metadata if m.name == BUFFER_NAME), None)
    if entry is None:
        entry = schema.MetadataT(name=BUFFER_NAME, buffer=len(model.buffers))
        model.metadata.append(entry)
        model.buffers.append(schema.BufferT())
    model.buffers[entry.buffer].data = np.frombuffer(data, np.uint8)


def _with_files(content, texts):
    """The bytes, followed by a ZIP archive of {name: text}."""
    stream = io.BytesIO()
    stream.write(content)
    # MediaPipe refuses compressed files. "w" writes after the bytes so far.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, text in texts.items():
            info = zipfile.ZipInfo(name)  # dated 1980 at any time
            info.create_system = UNIX
            info.external_attr = 0o644 << 16
            archive.writestr(info, text)
    return stream.getvalue()
