"""The experiment that compares keeping units with computing them again."""

import dataclasses

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


@pytest.fixture(scope="module")
def dropped():
    """`Steps` with units kept and computed again, with shortcut dropout."""
    return [
        remat_step.measure(recipe("resnet110_dropout", remat=again))
        for again in (False, True)
    ]


def test_the_second_way_differs_by_rounding_and_other_masks_would_show(dropped):
    found = remat.compare(*dropped)
    assert found["gradient_difference"] < 1e-5
    assert found["statistics_difference"] < 1e-5
    # The second iteration has the same weights and images, and draws anew.
    assert found["repetition_difference"] > 0.01


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
