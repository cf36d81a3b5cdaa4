"""Two processes agree on overflows, averages and statistics, and none waits."""

import json
import os
import subprocess
import sys

import pytest

from keras_resnet.training import launcher

pytestmark = pytest.mark.large

_WORKER = """
import json
import numpy as np
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()

import keras
import keras_resnet
from keras_resnet.training import batch_norm
from keras_resnet.training import ema
from keras_resnet.training import loss_scale
from keras_resnet.training import precise_bn
from keras_resnet.training import step

keras.utils.set_random_seed(0)
with strategy.scope():
    model = keras_resnet.build(
        "resnet20", depths=(1,), filters=(16,), input_shape=(8, 8, 3),
        dtype="mixed_float16")
    optimizer = loss_scale.LossScaledSGD(
        initial_scale=8.0, growth_steps=2, use_ema=True, ema_momentum=0.5)
    optimizer.build(model.trainable_variables)
train_step = step.make_train_step(
    strategy, model, optimizer, gradient_accumulation_steps=2)
rng = np.random.default_rng(0)
data = tf.data.Dataset.from_tensor_slices({
    "image": rng.integers(256, size=(36, 8, 8, 3)).astype("uint8"),
    "label": rng.integers(10, size=36).astype("int32"),
    "weight": np.ones(36, "f")}).batch(12, drop_remainder=True)
batches = strategy.experimental_distribute_dataset(data)

def overflow():
    context = tf.distribute.get_replica_context()
    slope = tf.where(context.replica_id_in_sync_group == 1, np.inf, 1.0)
    variables = model.trainable_variables
    optimizer.apply([tf.fill(v.shape, slope) for v in variables], variables)

def digest(variables):
    return [float(np.abs(v.numpy()).astype("f8").sum()) for v in variables]

def scale():
    return float(optimizer.loss_scale.numpy())

result = {"sums": [train_step(batch).numpy().tolist() for batch in batches]}
result["scales"] = [scale()]
result["before"] = digest([*model.trainable_variables, *optimizer.momentums])
tf.function(lambda: strategy.run(overflow))()
result["after"] = digest([*model.trainable_variables, *optimizer.momentums])
result["scales"] += [scale()]
with ema.make_with_ema_weights(strategy, optimizer)():
    result["batches"] = precise_bn.recalibrate(
        model, batches, strategy=strategy, parts=2)
    result["final"] = digest(model.variables)
result["back"] = digest(model.trainable_variables)
print(json.dumps(result), flush=True)
"""


@pytest.fixture(scope="module")
def results():
    """What two workers print, started together."""
    path = os.pathsep.join(p for p in sys.path if p)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            env={**environment, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment in launcher.environments(2)
    ]
    found = []
    try:
        for worker in workers:
            stdout, stderr = worker.communicate(timeout=300)
            assert worker.returncode == 0, stderr
            found.append(json.loads(stdout.splitlines()[-1]))
    finally:
        for worker in workers:
            worker.kill()
    return found


def test_both_workers_hold_the_same_in_the_end(results):
    one, other = results
    assert one == other
    assert len(one["sums"]) == 3


def test_an_overflow_on_one_worker_is_an_iteration_nobody_took(results):
    for result in results:
        assert result["scales"] == [16.0, 8.0]
        assert result["after"] == result["before"]


def test_statistics_are_of_the_parts_of_all_workers(results):
    for result in results:
        assert result["batches"] == 3 * 2 * 2
        assert result["back"] == result["before"][: len(result["back"])]
        assert result["final"] != result["back"]
