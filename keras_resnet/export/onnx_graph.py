"""What tf2onnx could have written better, rewritten: the same function."""

import numpy as np


def improve(graph):
    """Makes a graph faster in onnxruntime, in place.

    Args:
        graph: `onnx.GraphProto` from tf2onnx.
    """
    _subtract_planes(graph)
    _pad_in_pools(graph)


def _subtract_planes(graph):
    """Transposes the pixels before their mean is subtracted, not after.

    onnxruntime subtracts three values a pixel one pixel at a time, and a value
    a plane at once: a millisecond less of an image of 224 pixels.
    """
    from onnx import numpy_helper

    made_by = {node.output[0]: node for node in graph.node}
    for transpose in [n for n in graph.node if n.op_type == "Transpose"]:
        subtract = made_by.get(transpose.input[0])
        if subtract is None or subtract.op_type != "Sub":
            continue
        (mean,) = [t for t in graph.initializer if t.name == subtract.input[1]]
        # (C,) or, of a mean image, (H, W, C).
        planes = np.array(numpy_helper.to_array(mean), ndmin=3)
        planes = np.ascontiguousarray(np.moveaxis(planes, -1, -3))
        mean.CopyFrom(numpy_helper.from_array(planes, mean.name))
        pixels, between = subtract.input[0], subtract.output[0]
        subtract.input[0], subtract.output[0] = between, transpose.output[0]
        transpose.input[0], transpose.output[0] = pixels, between
        # Nodes are listed in the order in which they run.
        nodes = [n for n in graph.node if n is not transpose]
        nodes.insert(nodes.index(subtract), transpose)
        copies = [type(n).FromString(n.SerializeToString()) for n in nodes]
        del graph.node[:]
        graph.node.extend(copies)
        return


def _pad_in_pools(graph):
    """Lets a pool pad what a ReLU gives, which saves a copy of the largest map.

    A pool pads with less than any number, the networks with zeros: after a ReLU
    the maximum is the same.
    """
    from onnx import helper
    from onnx import numpy_helper

    made_by = {node.output[0]: node for node in graph.node}
    values = {tensor.name: tensor for tensor in graph.initializer}
    for pool in [n for n in graph.node if n.op_type == "MaxPool"]:
        pad = made_by.get(pool.input[0])
        if pad is None or pad.op_type != "Pad":
            continue
        before = made_by.get(pad.input[0])
        readers = [n for n in graph.node if pad.output[0] in n.input]
        if before is None or before.op_type != "Relu" or len(readers) > 1:
            continue
        # Of N, C, H and W, first before and then behind.
        pads = numpy_helper.to_array(values[pad.input[1]]).reshape(2, 4)
        pool.input[0] = pad.input[0]
        for attribute in list(pool.attribute):
            if attribute.name in ("auto_pad", "pads"):
                pool.attribute.remove(attribute)
        sides = pads[:, 2:].ravel().tolist()
        pool.attribute.append(helper.make_attribute("pads", sides))
        graph.node.remove(pad)
    _drop_unread(graph)


def _drop_unread(graph):
    read = {name for node in graph.node for name in node.input}
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in read:
            del graph.initializer[place]
