"""LiteRT on one thread, run by an emulated Python that has only NumPy.

python arm64_guest.py MODEL.tflite INPUTS.npy OUTPUTS.npy KERNELS

KERNELS is a key of `OpResolverType`. The inputs are (B, ...) for a model that
takes one. The outputs are written as the model gives them. Prints JSON: the
machine and the seconds.
"""

import json
import platform
import sys
import time

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.interpreter import OpResolverType


def main(model, inputs, outputs, kernels):
    start = time.perf_counter()
    interpreter = Interpreter(
        model_path=model,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType[kernels],
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    (taken,) = interpreter.get_output_details()
    loaded = time.perf_counter()
    results = []
    for image in np.load(inputs):
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(taken["index"])[0])
    np.save(outputs, np.stack(results))
    done = time.perf_counter()
    report = {
        "machine": platform.machine(),
        "load_seconds": loaded - start,
        "seconds_per_image": (done - loaded) / len(results),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
