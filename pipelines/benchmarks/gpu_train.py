"""Training steps on a GPU: ours on JAX beside torchvision; no TensorFlow.

    python pipelines/benchmarks/gpu_train.py --json=docs/gpu.json

It needs JAX and PyTorch with their CUDA parts. To see that it works, on a CPU:

    python pipelines/benchmarks/gpu_train.py --device=cpu --nocompiled \\
      --image_size=32 --batch_size=2 --side=64 --rounds=1 --steps=1
"""

import json
import pathlib
import sys

PIPELINES = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(PIPELINES), str(PIPELINES.parent)]

from absl import flags  # noqa: E402
from benchmarks import gpu_benchmark  # noqa: E402

from keras_resnet.commands import running  # noqa: E402

DEVICE = flags.DEFINE_enum("device", "cuda", ["cuda", "cpu"], "Where.")
IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 224, "Pixels, square.", lower_bound=1
)
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 256, "Images a step.", lower_bound=1
)
COMPILED = flags.DEFINE_bool("compiled", True, "Give PyTorch its compiler.")
SIDE = flags.DEFINE_integer("side", 8192, "Of the matrices.", lower_bound=1)
ROUNDS = flags.DEFINE_integer("rounds", 5, "That count.", lower_bound=1)
STEPS = flags.DEFINE_integer(
    "steps", 30, "Timed steps of a turn.", lower_bound=1
)
JSON = flags.DEFINE_string("json", None, "Write every figure to this file.")


def main(argv):
    del argv
    amounts = gpu_benchmark.Amounts(
        device=DEVICE.value,
        image_size=IMAGE_SIZE.value,
        batch_size=BATCH_SIZE.value,
        compiled=COMPILED.value,
        side=SIDE.value,
        rounds=ROUNDS.value,
        steps=STEPS.value,
    )
    figures = gpu_benchmark.run(amounts)
    print(gpu_benchmark.markdown(figures))
    if JSON.value:
        pathlib.Path(JSON.value).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    running.run(main)
