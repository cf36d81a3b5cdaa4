"""Which operators a file consists of: a name for each call.

For a SavedModel they are those stored for `serving_default`; TensorFlow fuses
some of them when it runs.
"""

import pathlib
import re

from keras_resnet.errors import require

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

# Operators of our exports that TensorFlow does not call stateless.
_STATEFUL = {
    "Assert",
    "AssignVariableOp",
    "Case",
    "DisableCopyOnRead",
    "If",
    "ReadVariableOp",
    "StatefulPartitionedCall",
    "VarHandleOp",
    "While",
}
# Stateless operators that read or write files, communicate or run code that is
# not in the file: whole families, by the words in their names.
_REACHING = re.compile(
    r"File|Py|Dataset|Reader|Restore|Save|Debug|Summary|Custom|TPU|Tpu|Xla"
    r"|Rpc|Proto|ImmutableConst|Checkpoint|VocabRemapping|Print|Record"
    r"|CopyHost|^Copy$|^Batch$|Send|Recv|Collective|Load|^Abort$"
)


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
    graph = _meta_graph(path)
    functions = _functions(graph)
    outputs = graph.signature_def["serving_default"].outputs
    (call,) = {info.name.split(":")[0] for info in outputs.values()}
    (node,) = [n for n in graph.graph_def.node if n.name == call]
    return _calls([node], functions)


def _meta_graph(path):
    from tensorflow.core.protobuf import saved_model_pb2

    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((path / "saved_model.pb").read_bytes())
    (graph,) = proto.meta_graphs
    return graph


def _functions(graph):
    """{name: nodes} of the functions that a graph may call."""
    return {
        function.signature.name: function.node_def
        for function in graph.graph_def.library.function
    }


def _calls(nodes, functions):
    """The operators of a graph and of all functions that it calls."""
    for node in nodes:
        if node.attr["f"].func.name in functions:
            yield from _calls(functions[node.attr["f"].func.name], functions)
        elif node.op not in _BOOKKEEPING:
            yield node.op


def check_saved_model(path):
    """Refuses a SavedModel that does more than compute; runs nothing.

    A SavedModel is a program: it can write files when it is run or loaded.
    Allowed are the operators of our exports, and those that TensorFlow calls
    stateless unless they reach outside the graph. The operators that save and
    restore variables do not count: TensorFlow's loader does not run them.

    Args:
        path: of the directory.

    Raises:
        keras_resnet.UsageError: names the operators.
    """
    path = pathlib.Path(path)
    graph = _meta_graph(path)
    # Another file of the same graph, which the loader might take instead.
    split = path / "saved_model.cpb"
    found = set(_all_run(graph)) if not split.exists() else {split.name}
    others = sorted(name for name in found if not _only_computes(name))
    require(
        not others,
        f"{str(path)!r} is a program that does more than compute: it has "
        f"{', '.join(others[:5])}{', ...' * (len(others) > 5)}. Such a "
        "SavedModel can read and write any file, and no export of this "
        "library has any. If you trust who made it, run it by TensorFlow "
        "itself.",
    )


def _only_computes(name):
    from tensorflow.python.framework import op_def_registry

    known = op_def_registry.get(name)
    if name in _STATEFUL or known is None:
        return name in _STATEFUL
    return not known.is_stateful and not _REACHING.search(name)


def _all_run(graph):
    """The operators that loading and any signature of a graph may run."""
    functions = _functions(graph)
    saver = graph.saver_def
    for function in graph.graph_def.library.function:
        if "api_implements" in function.attr:
            yield "api_implements"  # TensorFlow may run another one instead
    unused = set()
    if graph.HasField("object_graph_def"):  # else the loader runs them
        named = (
            saver.save_tensor_name,
            saver.restore_op_name,
            saver.filename_tensor_name,
        )
        unused = {name.split(":")[0] for name in named}
    nodes = [n for n in graph.graph_def.node if n.name not in unused]
    names = list(graph.object_graph_def.concrete_functions)
    seen = set()
    while nodes or names:
        for node in nodes:
            if node.op not in functions:
                yield node.op
            names += [node.op, *_function_names(node)]
        new = {name for name in names if name in functions} - seen
        seen |= new
        nodes, names = [n for name in new for n in functions[name]], []


def _function_names(node):
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
