"""Runs the bytes of .tflite files as they are, or changes them."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def predict(content, images, kernels="AUTO"):
    """Outputs of LiteRT on one thread, (B, K); pixels are only cast."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.interpreter import OpResolverType

    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType[kernels],
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (taken,) = interpreter.get_output_details()
    outputs = []
    for image in images:
        image = image[None].astype(given["dtype"])
        interpreter.set_tensor(given["index"], image)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(taken["index"])[0])
    return np.stack(outputs)


def unpacked(content):
    """A file as objects that can be changed: `schema.ModelT`."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))


def packed(model):
    """The bytes of such objects."""
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def weights(model, kind, place=0):
    """The weight tensor of one operator of a kind."""
    code = getattr(schema.BuiltinOperator, kind)
    graph = model.subgraphs[0]
    found = [
        operator
        for operator in graph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == code
    ]
    return graph.tensors[found[place].inputs[1]]
