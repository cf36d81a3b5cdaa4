"""Which operators a file consists of: a name for each call.

Those of a SavedModel are stored for `serving_default`: TensorFlow fuses some
of them when it runs.
"""

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


def list_tflite(path):
    """Names of the operators of a TFLite file."""
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


def list_onnx(path):
    """Names of the operators of an ONNX file."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    return [node.op_type for node in graph.node]


def list_saved_model(path):
    """Names of the operators of a SavedModel."""
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
