"""What each layer of a TFLite or ONNX file gives for an image."""

import dataclasses
import pathlib
import re
import shutil
import uuid

import numpy as np


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of a file.

    Attributes:
        name: in the network, such as "stage2_unit1/conv2".
        kind: of its operator, by the format's name.
        output: key of the tensor that it gives.
    """

    name: str
    kind: str
    output: object


class TFLiteFile:
    """A TFLite file in LiteRT that keeps every activation.

    Attributes:
        layers: list of `Layer`, in the order in which they run.
        producers: {tensor: tensors that its operator reads}.
    """

    # Operators with weights, sums and pools. The others move or convert what
    # these give.
    KINDS = (
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "ADD",
        "MAX_POOL_2D",
        "MEAN",
    )

    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter
        from ai_edge_litert.interpreter import OpResolverType

        self._interpreter = Interpreter(
            model_path=str(path),
            # XNNPACK keeps no activations.
            experimental_op_resolver_type=(
                OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
            experimental_preserve_all_tensors=True,
        )
        self._interpreter.allocate_tensors()
        tensors = self._interpreter.get_tensor_details()
        self._tensors = {tensor["index"]: tensor for tensor in tensors}
        operators = self._interpreter._get_ops_details()
        self.producers = {
            output: list(operator["inputs"])
            for operator in operators
            for output in operator["outputs"]
        }
        self.layers = [
            self._layer(operator)
            for operator in operators
            if operator["op_name"] in self.KINDS
        ]

    def _layer(self, operator):
        (output,) = operator["outputs"]
        name = layer_name(self._tensors[output]["name"])
        return Layer(name, operator["op_name"], output)

    def run(self, image):
        """float32 outputs of the layers for an image (H, W, 3), 0..255."""
        (details,) = self._interpreter.get_input_details()
        scale, zero_point = details["quantization"]
        if scale:
            image = np.round(image / scale) + zero_point
        self._interpreter.set_tensor(
            details["index"], image[np.newaxis].astype(details["dtype"])
        )
        self._interpreter.invoke()
        return [self._value(layer.output) for layer in self.layers]

    def _value(self, tensor):
        value = self._interpreter.get_tensor(tensor)
        parameters = self._tensors[tensor]["quantization_parameters"]
        if not len(parameters["scales"]):
            return value
        shifted = value.astype(np.float32) - parameters["zero_points"]
        return shifted * parameters["scales"]


class OnnxFile:
    """An ONNX file in onnxruntime that gives every activation.

    Args:
        path: of the file.
        folder: for copies of it.

    Attributes:
        producers: {tensor: tensors that its operator reads}.
    """

    KINDS = (
        "Conv",
        "Gemm",
        "MatMul",
        "Add",
        "MaxPool",
        "GlobalAveragePool",
        "ReduceMean",
    )

    def __init__(self, path, folder):
        import onnx
        from onnxruntime.quantization import qdq_loss_debug

        self._debug = qdq_loss_debug
        # In the folder, because the library writes beside what it reads.
        copy = pathlib.Path(folder, f"{uuid.uuid4()}.onnx")
        shutil.copyfile(path, copy)
        self._path = copy.with_suffix(".all.onnx")
        qdq_loss_debug.modify_model_output_intermediate_tensors(
            copy, self._path
        )
        graph = onnx.load(copy).graph
        (self._input,) = graph.input
        self._dtype = onnx.helper.tensor_dtype_to_np_dtype(
            self._input.type.tensor_type.elem_type
        )
        self._nodes = list(graph.node)
        self.producers = {
            output: list(node.input)
            for node in self._nodes
            for output in node.output
        }

    def run(self, image):
        """{tensor: [its values, flat]} for an image (H, W, 3), 0..255."""
        feed = {self._input.name: image[np.newaxis].astype(self._dtype)}
        return self._debug.collect_activations(str(self._path), [feed])

    def layers(self, compared):
        """list of `Layer` whose outputs were compared, in the file's order.

        Args:
            compared: tensors, as `pairs` gives them.
        """
        readers = {
            tensor: node for node in self._nodes for tensor in node.input
        }
        layers = {}
        for node in self._nodes:
            (output, *_) = node.output
            reader = readers.get(output)
            # In a quantised file a ReLU is part of the layer before it.
            if output not in compared and reader and reader.op_type == "Relu":
                output = reader.output[0]
            if node.op_type in self.KINDS and output in compared:
                name = layer_name(";".join([node.name, *self._weights(node)]))
                # A classifier has two: the sum with its bias replaces the
                # product.
                layers[name] = Layer(name, node.op_type, output)
        return list(layers.values())

    def _weights(self, node):
        return [name for name in node.input if name not in self.producers]


def pairs(whole, small, image):
    """What a float32 and an int8 `OnnxFile` give for an image.

    Returns:
        {tensor of both: (float32 array, the other dequantised)}, flat.
    """
    from onnxruntime.quantization import qdq_loss_debug

    matched = qdq_loss_debug.create_activation_matching(
        small.run(image), whole.run(image)
    )
    return {
        tensor: (pair["float"][0], pair["post_qdq"][0])
        for tensor, pair in matched.items()
        if "float" in pair
    }


# `stage2_unit1_1/conv1_1/convolution`: a part of the network, an op in it, each
# with the number that Keras appends where it calls a layer again.
_SCOPES = re.compile(
    r"(?:^|[/;])(stem|stage\d+_unit\d+|final|pool|logits)(?:_\d+)?"
    r"/([A-Za-z_]+?\d*)(?:_\d+)?(?=[/:;]|$)"
)

# An operator may do several ops; the first of these that it does names it.
_OPS = (r"conv\d+|shortcut_conv|gate|pool\d+", r"(bn|affine)\d+", r"add")


def layer_name(names):
    """The network's name for what an operator of a file computes.

    `names` are those of the operator, its weights and its outputs in Keras'
    graph, joined by ";". The result is "stage2_unit1/conv2" or "logits", or
    `names` itself if they say nothing.
    """
    found = _SCOPES.findall(names)
    for pattern in _OPS:
        for part, op in found:
            if re.fullmatch(pattern, op):
                return f"{part}/{op}"
    return found[0][0] if found else names
