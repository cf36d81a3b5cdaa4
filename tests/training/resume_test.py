"""A run that is killed anywhere ends as one that was never stopped: exactly.

After MosaicML Composer's test_resumption: epoch end, middle, first and last
batch, inside a save; zero tolerance; and negative controls, which must differ.
"""

import hashlib
import json
import re
import zipfile

import h5py
import numpy as np
import programs
import pytest
import tensorflow as tf
import zygote

LIVES = programs.SUPPORT / "lives.py"
FLAGS = (
    "--variant=resnet6",
    "--batch_size=96",  # 1,438 examples: an epoch ends in step 15
    "--steps=17",
    "--optimizer=adamw",
    "--learning_rate=0.003",
    "--warmup_learning_rate=0.001",
    "--clip_norm=1",
    "--ema_momentum=0.9",
    "--mixup_alpha=0.2",
    "--cutmix_alpha=1",
    "--loss=binary",
    "--target_threshold=0.2",
    "--label_smoothing=0.1",
    "--schedule=plateau",
    "--plateau_evaluations=1",
    "--warmup_steps=6",
    "--warmup_error=0.1",
    # In step 9 the kills of the first test find images of 12 pixels.
    "--progressive_sizes=12",
    "--progressive_boundaries=8",
    "--eval_resize=20",
    "--eval_size=18",
    "--stochastic_depth=0.3",
    "--repeated_augmentation=2",
    "--log_every_steps=2",
    "--eval_every_steps=4",
    "--checkpoint_every_steps=3",
)
DEVICES = {
    "one_device": ("--strategy=one_device",),
    "mirrored": ("--strategy=mirrored", "--devices=2"),
}
STRATEGIES = {
    **DEVICES,
    # With the papers' optimizer.
    "mirrored": (
        *DEVICES["mirrored"],
        "--optimizer=sgd",
        "--learning_rate=0.1",
        "--warmup_learning_rate=0.01",
    ),
}
KILLED, TERMINATED, DONE = -9, 75, 0
SIGTERM = 15


def _live(tmp_path, lives, *flags):
    """The statuses of lives, and all that they said."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(lives))
    result = zygote.run(LIVES, plan, *FLAGS, *flags, cwd=tmp_path, timeout=1500)
    statuses = re.findall(r"^status (-?\d+)$", result.stdout, re.M)
    assert len(statuses) == len(lives), result.stdout + result.stderr
    return [int(status) for status in statuses], result


def _in(workdir, *lives):
    """Lives that share a workdir."""
    return [
        {**life, "flags": [f"--workdir={workdir}", *life.get("flags", ())]}
        for life in lives
    ]


def _sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _end(workdir):
    """What a run leaves that must be equal: sha256 by name."""
    last = sorted((workdir / "checkpoints").iterdir())[-1]
    reader = tf.train.load_checkpoint(str(last / "variables"))
    found = {
        f"checkpoint {name}": _sha256(reader.get_tensor(name))
        for name in reader.get_variable_to_shape_map()
    }
    state = json.loads((last / "state.json").read_text())
    for name in ("files", "sha256"):
        del state[name]
    found["state"] = state
    with zipfile.ZipFile(workdir / "model.keras") as archive:
        weights = h5py.File(archive.open("model.weights.h5"))

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            found[f"model {name}"] = _sha256(item[()])

    weights.visititems(add)
    for name in ("metrics.jsonl", "labels.txt", "card.json"):
        found[name] = (workdir / name).read_bytes()
    return found


def _differences(a, b):
    return [name for name in {**a, **b} if a.get(name) != b.get(name)]


@pytest.mark.parametrize(
    "strategy",
    ["one_device", pytest.param("mirrored", marks=pytest.mark.large)],
)
def test_a_killed_run_ends_as_one_that_was_not(tmp_path, strategy):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    # The kill is inside the save of step 9; the save of step 6 is complete.
    lives = _in(whole, {}) + _in(killed, {"at": "variables", "n": 3}, {})
    statuses, result = _live(tmp_path, lives, *STRATEGIES[strategy])
    assert statuses == [DONE, KILLED, DONE], result.stderr
    ends = _end(whole), _end(killed)
    assert _differences(*ends) == []
    records = [json.loads(s) for s in ends[0]["metrics.jsonl"].splitlines()]
    assert [record["step"] for record in records] == [4, 8, 12, 16, 17]
    # The inventory: weights, statistics, momentum, rate, iterations, seeds.
    names = " ".join(ends[0])
    parts = ("kernel", "moving_mean", "momentum", "average", "learning_rate")
    for part in parts:
        assert part in names
    assert "iteration" in names and "seed_generator" in names


# The calls of "step" are counted from the start of a life.
POINTS = {
    "first batch": {"at": "step", "n": 1},
    "last batch": {"at": "step", "n": 17},
    "end of the epoch": {"at": "step", "n": 15},
    "middle": {"at": "step", "n": 7},
    "traced": {"at": "tracing", "n": 1},
    "inside an evaluation": {"at": "evaluation", "n": 6},
    "before a metrics line": {"at": "metrics_rename", "n": 2},
    "after a metrics line": {"at": "metrics", "n": 3},
    "inside a save": {"at": "variables", "n": 3},
    "before a save's rename": {"at": "before_rename", "n": 2},
    "after a save's rename": {"at": "after_rename", "n": 2},
    "inside the first save": {"at": "variables", "n": 1},
    "inside the last save": {"at": "before_rename", "n": 6},
    "in the drawing of curves": {"at": "curves", "n": 1},
    "before labels and card": {"at": "card", "n": 1},
    "model half written": {"at": "model", "n": 1},
    "before the model's rename": {"at": "model_rename", "n": 1},
}


def _ends(tmp_path, points, status, after=None, flags=()):
    """{name: what differs from a whole run} of runs that are cut at points.

    Args:
        points: {name: life that ends at a point}.
        status: the exit status of these lives.
        after: {name: the next life}. Default: one that ends the run.
        flags: flags of all lives.
    """
    lives = _in(tmp_path / "whole", {})
    for name, point in points.items():
        lives += _in(tmp_path / name, point, (after or {}).get(name, {}))
    statuses, result = _live(tmp_path, lives, *flags)
    assert statuses == [DONE] + [status, DONE] * len(points), result.stderr
    whole = _end(tmp_path / "whole")
    return {n: _differences(whole, _end(tmp_path / n)) for n in points}


@pytest.mark.large
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_point_at_which_a_run_can_be_killed(tmp_path, strategy):
    ends = _ends(tmp_path, POINTS, KILLED, flags=STRATEGIES[strategy])
    assert ends == {name: [] for name in POINTS}


@pytest.mark.large
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sigterm_anywhere_saves_and_asks_to_be_run_again(tmp_path, strategy):
    names = ("first batch", "end of the epoch", "middle", "traced")
    names += ("inside an evaluation", "inside a save")
    points = {name: POINTS[name] for name in names}
    # The last evaluation has four batches, the 17th to the 20th.
    points["last evaluation"] = {"at": "evaluation", "n": 18}
    points = {n: {**point, "signal": SIGTERM} for n, point in points.items()}
    ends = _ends(tmp_path, points, TERMINATED, flags=STRATEGIES[strategy])
    # The last checkpoint precedes the evaluation. The next session finishes the
    # evaluation and saves no checkpoint.
    assert ends.pop("last evaluation") in ([], ["state"])
    assert not any(ends.values()), ends


@pytest.mark.large
def test_what_is_not_restored_shows(tmp_path):
    # The evaluation of step 16 is worse than the best one. A schedule that
    # forgets the best one after the save of step 15 does not lower the rate.
    controls = {"momentum": 3, "seeds": 3, "schedule": 5}
    points = {
        what: {"at": "after_rename", "n": n} for what, n in controls.items()
    }
    after = {what: {"forget": what} for what in controls}
    ends = _ends(tmp_path, points, KILLED, after)
    for what, differences in ends.items():
        assert any("kernel" in name for name in differences), what
        assert "metrics.jsonl" in differences, what


@pytest.mark.large
def test_the_mean_of_the_replicas_statistics_is_not_enough(tmp_path):
    lives = [
        *_in(tmp_path / "whole", {}),
        *_in(
            tmp_path / "means",
            {"at": "step", "n": 10, "signal": SIGTERM},
            {"forget": "statistics"},
        ),
    ]
    statuses, result = _live(tmp_path, lives, *STRATEGIES["mirrored"])
    assert statuses == [DONE, TERMINATED, DONE], result.stderr
    names = _differences(_end(tmp_path / "whole"), _end(tmp_path / "means"))
    assert any("moving_" in name for name in names)


@pytest.mark.large
@pytest.mark.parametrize("before, after", [(1, 2), (2, 1)])
def test_another_number_of_replicas_goes_on_and_is_told(
    tmp_path, before, after
):
    names = list(DEVICES)
    first, second = (
        {"flags": list(DEVICES[names[n - 1]])} for n in (before, after)
    )
    lives = _in(
        tmp_path / "run", {**first, "at": "after_rename", "n": 2}, second
    )
    statuses, result = _live(tmp_path, lives)
    assert statuses == [KILLED, DONE], result.stderr
    assert f"replicas: {before} then, {after} now" in result.stderr
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(s)["step"] for s in lines] == [4, 8, 12, 16, 17]
