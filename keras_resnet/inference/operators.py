"""Which operators an exported file consists of, and how many of each."""

import collections
import pathlib

# A SavedModel's graph has these beside what it computes.
_BOOKKEEPING = {
    "Const",
    "Identity",
    "IdentityN",
    "NoOp",
    "Placeholder",
    "ReadVariableOp",
    "VarHandleOp",
}


def count(path, format):
    """The histogram of the operators of a file.

    Args:
        path: of the file or directory.
        format: "saved_model", "tflite", "onnx" or "web".

    Returns:
        {name of the operator in its format: int}, in alphabetical order. Of a
        SavedModel they are those of `serving_default` as stored: TensorFlow
        fuses some of them when it runs.
    """
    names = _COUNT[format](pathlib.Path(path))
    return dict(sorted(collections.Counter(names).items()))


def _tflite(path):
    from ai_edge_litert import schema_py_generated as schema

    builtin = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    for place in range(model.SubgraphsLength()):
        graph = model.Subgraphs(place)
        for number in range(graph.OperatorsLength()):
            code = model.OperatorCodes(graph.Operators(number).OpcodeIndex())
            # The older field holds codes below 127, the newer one all.
            yield builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]


def _onnx(path):
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    return [node.op_type for node in graph.node]


def _saved_model(path):
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((path / "saved_model.pb").read_bytes())
    (graph,) = proto.meta_graphs
    functions = {
        function.signature.name: function.node_def
        for function in graph.graph_def.library.function
    }
    outputs = graph.signature_def["serving_default"].outputs
    (call,) = {info.name.split(":")[0] for info in outputs.values()}
    (node,) = [n for n in graph.graph_def.node if n.name == call]
    return _calls([node], functions)


def _calls(nodes, functions):
    """The operators of a graph and of all functions that it calls."""
    for node in nodes:
        if node.attr["f"].func.name in functions:
            yield from _calls(functions[node.attr["f"].func.name], functions)
        elif node.op not in _BOOKKEEPING:
            yield node.op


_COUNT = {
    "saved_model": _saved_model,
    "tflite": _tflite,
    "onnx": _onnx,
    "web": lambda path: _tflite(path / "model.tflite"),
}
