"""Files of networks in their runtimes, each without any other framework.

Shapes: B images a call, K classes.
"""

import numpy as np


def infer(runtime, path, pixels, batch, threads, answers=None):
    """A contender of the benchmark, see `train_contenders`: a call is a step.

    Args:
        runtime: key of `RUNTIMES`.
        path: of the file.
        pixels: path of float32 (N, ...) pictures in the form that the network
            takes, N >= B.
        batch: B.
        threads: int, that compute.
        answers: path to which the first probabilities are written, once they
            have been timed: float32 (B, K).
    """
    images = np.load(pixels)[:batch]
    open_file = RUNTIMES[runtime](threads)

    def build():
        predict = open_file(path, images)
        unwritten = [answers] if answers else []

        def steps(count, tick):
            for _ in range(count):
                made = predict()
                tick()
            while unwritten:
                np.save(unwritten.pop(), np.asarray(made, np.float32))

        return steps

    return build


def _tensorflow(threads):
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    # More would compute beside those: two convolutions at a time.
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def open_file(path, images):
        signatures = tf.saved_model.load(path).signatures
        function = signatures["serving_default"]
        (name,) = function.structured_input_signature[1]
        outputs = list(function.structured_outputs)
        # Ours may tell more than probabilities.
        output = "probabilities" if len(outputs) > 1 else outputs[0]
        tensor = tf.constant(images)

        def predict():
            return function(**{name: tensor})[output].numpy()

        return predict

    return open_file


def _litert(threads):
    from ai_edge_litert.interpreter import Interpreter

    def open_file(path, images):
        interpreter = Interpreter(model_path=path, num_threads=threads)
        (given,) = interpreter.get_input_details()
        (made,) = interpreter.get_output_details()
        if given["shape"][0] != len(images):
            # A file for any batch says 1.
            interpreter.resize_tensor_input(given["index"], images.shape)
        interpreter.allocate_tensors()
        tensor = images.astype(given["dtype"])
        scale, zero = made["quantization"] if _is_int(made) else (1, 0)

        def predict():
            interpreter.set_tensor(given["index"], tensor)
            interpreter.invoke()
            answer = interpreter.get_tensor(made["index"])
            return answer if scale == 1 else (answer - zero) * scale

        return predict

    return open_file


def _is_int(details):
    return np.issubdtype(details["dtype"], np.integer)


def _onnxruntime(threads):
    import onnxruntime

    def open_file(path, images):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        (given,) = session.get_inputs()
        return lambda: session.run(None, {given.name: images})[0]

    return open_file


def _openvino(threads):
    import openvino

    def open_file(path, images):
        core = openvino.Core()
        network = core.read_model(path)
        network.reshape(list(images.shape))
        compiled = core.compile_model(
            network,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                # It would compute in bfloat16 where a CPU can.
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )
        request = compiled.create_infer_request()

        def predict():
            request.infer([images])
            return request.get_output_tensor(0).data

        return predict

    return open_file


def _pytorch(threads):
    import torch
    from benchmarks import torch_networks

    def load(path):
        network = torch_networks.load(path)
        return network.to(memory_format=torch.channels_last)

    return _torch(threads, load)


def _torchscript(threads):
    import torch

    def load(path):
        # Weights as oneDNN wants them, which no file can hold.
        return torch.jit.optimize_for_inference(torch.jit.load(path))

    return _torch(threads, load)


def _torch(threads, load):
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)

    def open_file(path, images):
        tensor = torch.from_numpy(images)
        tensor = tensor.contiguous(memory_format=torch.channels_last)
        network = load(path)

        def predict():
            with torch.inference_mode():
                return network(tensor).numpy()

        return predict

    return open_file


# {name: function of the threads that imports it and returns a function (path,
# images) -> predict, () -> (B, K) array}.
RUNTIMES = {
    "tensorflow": _tensorflow,
    "litert": _litert,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "pytorch": _pytorch,
    "torchscript": _torchscript,
}
