"""Units that are computed again give the same gradients and statistics."""

import dataclasses

import keras
import numpy as np
import programs
import pytest

cost_rows = programs.module("reproduction.cost_rows")
jobs = programs.module("reproduction.jobs")
remat = programs.module("reproduction.remat")
remat_step = programs.module("reproduction.remat_step")

TINY = {
    "image_size": 8,
    "eval_resize": 8,
    "batch_size": 4,
    "depths": (1, 1, 1),
    "steps": 2,
}


def make(folder, variant):
    experiment = dataclasses.replace(
        cost_rows.REMAT, rows={"tiny": jobs.Row(variant=variant)}
    )
    [job] = jobs.make(
        "remat", experiment, "quick", workdir=folder, overrides=TINY
    )
    return job


def recipe(variant, **fields):
    return dataclasses.replace(make("runs", variant).recipe, **fields)


def both(variant):
    return [
        remat_step.measure(recipe(variant, remat=again))
        for again in (False, True)
    ]


@pytest.fixture(scope="module")
def dropped():
    """`Steps` with units kept and computed again, of half the shortcuts."""
    return both("resnet110_dropout")


def test_masks_of_dropout_are_drawn_again_as_they_were(dropped):
    found = remat.compare(*dropped)
    assert found["gradient_difference"] < 1e-5
    assert found["statistics_difference"] < 1e-5
    assert found["plain"]["losses"] == pytest.approx(
        found["remat"]["losses"], rel=1e-6
    )


def test_other_masks_would_be_seen(dropped):
    # The second iteration has the same weights and images, and draws anew.
    assert remat.compare(*dropped)["repetition_difference"] > 0.01


def test_statistics_are_updated_once():
    kept, again = both("resnet20")
    assert remat.compare(kept, again)["gradient_difference"] < 1e-5
    # By hand: the input of the BN in a unit that is computed again.
    fields = recipe("resnet20")
    keras.utils.set_random_seed(fields.seed)
    model = remat_step.build(fields)
    images, _ = remat_step.draw(fields)
    x = model.get_layer("pixels")(images)
    x = model.get_layer("stem")(x, training=True)
    x = np.asarray(model.get_layer("stage1_unit1").branch[0](x))
    mean = x.mean(axis=(0, 1, 2))
    for steps in (kept, again):
        moving = steps.statistics["stage1_unit1/bn1/moving_mean"]
        # From 0 with Keras' momentum of 0.9; twice would give 0.19.
        np.testing.assert_allclose(moving, 0.1 * mean, rtol=1e-3, atol=1e-6)
        assert not np.allclose(moving, 0.19 * mean, rtol=1e-3, atol=1e-6)


def test_a_difference_is_relative_to_the_greatest_of_its_variable():
    ours = {"a": np.array([4.0, 0.0]), "b": np.array([100.0])}
    theirs = {"a": np.array([4.0, 1.0]), "b": np.array([101.0])}
    assert remat.greatest_difference(ours, theirs) == 0.25
    assert remat.greatest_difference(ours, ours) == 0


def test_other_weights_or_images_are_not_compared(dropped):
    kept, again = dropped
    other = dataclasses.replace(again, figures={**again.figures, "drawn": "0"})
    with pytest.raises(ValueError, match="Weights or images differ"):
        remat.compare(kept, other)


def test_what_a_process_hands_over_is_what_it_measured(dropped, tmp_path):
    remat_step.save(tmp_path / "steps.npz", dropped[0])
    loaded = remat_step.load(tmp_path / "steps.npz")
    assert loaded.figures == dropped[0].figures
    for field in ("gradients", "again", "statistics"):
        ours, theirs = getattr(dropped[0], field), getattr(loaded, field)
        assert remat.greatest_difference(ours, theirs) == 0
        assert len(ours) > 10


def test_the_table_has_both_ways_of_a_network(dropped):
    record = {
        "row": "ResNet-1202",
        "result": remat.compare(*dropped),
        "recipe": {"batch_size": 4},
    }
    lines = remat.table(cost_rows.REMAT, [record]).splitlines()
    assert "not run" in lines[2]
    assert "ResNet-1202 | kept " in " ".join(lines[3].split())
    assert "computed again" in lines[4]


@pytest.mark.large
def test_each_way_runs_in_a_process_of_its_own(tmp_path):
    job = make(tmp_path, "resnet20")
    job.workdir.mkdir(parents=True)
    result = remat.run(job)
    assert result["gradient_difference"] < 1e-5
    for way in ("plain", "remat"):
        assert len(result[way]["seconds"]) == 2
        assert result[way]["most_megabytes"] > result[way]["built_megabytes"]
    assert not list(job.workdir.iterdir())


@pytest.mark.large
def test_a_process_that_dies_is_named_with_its_last_words(tmp_path):
    broken = recipe("resnet20", remat=True)
    # Too many pixels for any memory.
    broken = dataclasses.replace(broken, image_size=10**6, eval_resize=10**6)
    with pytest.raises(RuntimeError, match="resnet20, remat=True, ended"):
        remat_step.isolated(broken, tmp_path)
