"""The graph of a functional model: who reads what.

A node is one call of an operation; an operation is a layer, a model that is
called as a layer, or one of `keras.ops`.
"""

import collections

import keras

from keras_resnet.errors import require


def network(model):
    """A model's functional `keras.Model`: itself, or the one in a Sequential.

    Raises:
        keras_resnet.UsageError: if the model computes by code of its own.
    """
    require(
        is_network(model),
        "Only functional and built Sequential models can be exported. Wrap "
        "another one: image = keras.Input((224, 224, 3)); "
        f"keras.Model(image, model(image)). Received: {model.name!r}, a "
        f"{type(model).__name__}.",
    )
    return model._functional if _is_sequential(model) else model


def is_network(operation):
    """Whether an operation does nothing but run a graph."""
    if _is_sequential(operation):
        return operation._functional is not None
    # A subclass may have a `call` of its own beside its graph.
    functional = isinstance(operation, keras.Function)
    functional &= isinstance(operation, keras.Model)
    return functional and type(operation).call.__module__.startswith("keras.")


def _is_sequential(operation):
    return type(operation) is keras.Sequential


def networks(model):
    """The graph of a model and those of all models in it, each once."""
    found, waiting = [], [network(model)]
    while waiting:
        graph = waiting.pop()
        if graph not in found:
            found.append(graph)
            inner = filter(is_network, graph.operations)
            waiting += map(network, inner)
    return found


def nodes(graph):
    """The calls in a graph, in an order in which they can run."""
    depths = sorted(graph._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in graph._nodes_by_depth[depth]]


def producer(tensor):
    """The operation that gives a tensor of a graph."""
    return tensor._keras_history.operation


def inputs(tensor):
    """The tensors read by the call that gives a tensor of a graph."""
    operation, call, _ = tensor._keras_history
    return operation._inbound_nodes[call].input_tensors


def find_only_readers(graph):
    """{operation: the only operation that reads its output}, in a graph.

    Both are called once. An operation that gives an output of the graph is left
    out: who reads that output is not known.
    """
    calls, readers = collections.Counter(), collections.defaultdict(list)
    for node in nodes(graph):
        calls[node.operation] += 1
        for tensor in node.input_tensors:
            readers[producer(tensor)].append(node.operation)
    for tensor in graph.outputs:
        readers[producer(tensor)].append(None)
    return {
        operation: found[0]
        for operation, found in readers.items()
        if len(found) == 1
        and found[0] is not None
        and calls[operation] == calls[found[0]] == 1
    }


def find_read_inside(model):
    """The layers that a graph reads up to an operation inside (`until`)."""
    return {
        node.operation
        for graph in networks(model)
        for node in nodes(graph)
        if node.arguments.kwargs.get("until") is not None
    }


def find_unshared(model):
    """The operations that belong to only one graph of a model.

    Changing them has no effect elsewhere.
    """
    belongs = collections.Counter(
        operation for graph in networks(model) for operation in graph.operations
    )
    return {operation for operation, count in belongs.items() if count == 1}
