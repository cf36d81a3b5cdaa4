"""Files of networks in their runtimes, each without any other framework.

Shapes: B images a call, K classes.
"""

import functools
import importlib
import pathlib

import numpy as np

# Standard deviation of the logits of all networks. With it some classes are
# more probable than 1/256, the least that a full int8 file can say.
SPREAD = 3.0


def save(folder, pixels, probabilities):
    """Writes what goes into a network's files, and what must come out.

    Args:
        folder: of the files.
        pixels: float32 (N, ...), pictures in the form that the network takes.
        probabilities: float32 (N, K), before the conversion.
    """
    np.save(pathlib.Path(folder, "pixels.npy"), pixels)
    np.save(pathlib.Path(folder, "expected.npy"), probabilities)


def infer(runtime, path, folder, batch, threads, bound):
    """A contender whose step is a call.

    Args:
        runtime: key of `RUNTIMES`.
        path: of the file.
        folder: of the network, with what `save` wrote.
        batch: B, images of a call.
        threads: int, that compute.
        bound: how far probabilities may be from the network's own.

    Raises:
        RuntimeError: after the first call if they are further away: the speed
            of a file that computes something else would mean nothing.
    """
    images = np.load(pathlib.Path(folder, "pixels.npy"))[:batch]
    expected = np.load(pathlib.Path(folder, "expected.npy"))[:batch]
    package, open_file = RUNTIMES[runtime]
    importlib.import_module(package)

    def build():
        predict = open_file(path, images, threads)
        unchecked = True

        def steps(count, tick):
            nonlocal unchecked
            for _ in range(count):
                made = predict()
                tick()
            if unchecked:
                check(np.asarray(made), expected, bound)
                unchecked = False

        return steps

    return build


def check(made, expected, bound):
    """Refuses (B, K) probabilities that are too far from others.

    Args:
        made, expected: float arrays.
        bound: the largest distance, relative to the norm of `expected`.

    Raises:
        RuntimeError: if it is more, or not finite.
    """
    distance = np.linalg.norm(made - expected) / np.linalg.norm(expected)
    if not distance <= bound:  # not `>`: NaN must not pass
        raise RuntimeError(
            "The file computes something else than its network: by "
            f"{distance:.2g} of the probabilities, more than {bound}."
        )


def _tensorflow(path, images, threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    # More would run two convolutions at a time, on more threads.
    tf.config.threading.set_inter_op_parallelism_threads(1)
    function = tf.saved_model.load(path).signatures["serving_default"]
    (name,) = function.structured_input_signature[1]
    outputs = list(function.structured_outputs)
    # Ours may give more than probabilities.
    output = "probabilities" if len(outputs) > 1 else outputs[0]
    tensor = tf.constant(images)
    return lambda: function(**{name: tensor})[output].numpy()


def _litert(path, images, threads):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=threads)
    (given,) = interpreter.get_input_details()
    (made,) = interpreter.get_output_details()
    if given["shape"][0] != len(images):
        # A file for any batch size says 1.
        interpreter.resize_tensor_input(given["index"], images.shape)
    interpreter.allocate_tensors()
    tensor = images.astype(given["dtype"])
    whole = np.issubdtype(made["dtype"], np.integer)
    scale, zero = made["quantization"] if whole else (1, 0)

    def predict():
        interpreter.set_tensor(given["index"], tensor)
        interpreter.invoke()
        answer = interpreter.get_tensor(made["index"])
        return (answer - zero) * scale if whole else answer

    return predict


def _onnxruntime(path, images, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    return lambda: session.run(None, {given.name: images})[0]


def _openvino(path, images, threads, precision="f32"):
    import openvino

    core = openvino.Core()
    network = core.read_model(path)
    network.reshape(list(images.shape))
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    request = core.compile_model(
        network, "CPU", settings
    ).create_infer_request()

    def predict():
        request.infer([images])
        return request.get_output_tensor(0).data

    return predict


def _pytorch(path, images, threads):
    import torch
    from benchmarks import torch_files

    def load():
        network = torch_files.load(path)
        return network.to(memory_format=torch.channels_last)

    return _torch(load, images, threads)


def _torchscript(path, images, threads):
    import torch

    def load():
        # Lays out weights as oneDNN wants them; no file can hold that.
        return torch.jit.optimize_for_inference(torch.jit.load(path))

    return _torch(load, images, threads)


def _torch(load, images, threads):
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    network = load()
    tensor = torch.from_numpy(images)
    tensor = tensor.contiguous(memory_format=torch.channels_last)

    def predict():
        with torch.inference_mode():
            return network(tensor).numpy()

    return predict


# {name: (package, function (path, images, threads) -> predict, which returns
# (B, K) probabilities)}.
RUNTIMES = {
    "tensorflow": ("tensorflow", _tensorflow),
    "litert": ("ai_edge_litert.interpreter", _litert),
    "onnxruntime": ("onnxruntime", _onnxruntime),
    "openvino": ("openvino", _openvino),
    # It computes in bfloat16 where a CPU can.
    "openvino_default": (
        "openvino",
        functools.partial(_openvino, precision=None),
    ),
    "pytorch": ("torch", _pytorch),
    "torchscript": ("torch", _torchscript),
}
