"""reproduce.py: the papers' rows as data, each run once, a table of all."""

import dataclasses
import importlib
import json
import multiprocessing
import os
import re
import signal

import programs
import pytest
from matplotlib import figure
from tiny_runs import FOUR_STEPS

from keras_resnet import files
from keras_resnet.errors import UsageError
from keras_resnet.networks import papers
from keras_resnet.networks import specs
from keras_resnet.training.signals import STATUS

curves = programs.module("reproduction.curves")
experiments = programs.module("reproduction.experiments")
jobs = programs.module("reproduction.jobs")
report = programs.module("reproduction.report")
results = programs.module("reproduction.results")
runs = programs.module("reproduction.runs")
training = programs.module("reproduction.training")

DOCS = programs.PIPELINES.parent / "docs"
EXPERIMENTS = experiments.EXPERIMENTS
# Experiments that train one network a row, by the papers' schedule for CIFAR.
TRAINED = [
    name
    for name, experiment in EXPERIMENTS.items()
    if experiment.module == "curves" and "full" in experiment.settings
]

TWO = jobs.Experiment(
    title="Two",
    question="Which?",
    source="P1 Fig. 0",
    rows={
        "plain": jobs.Row(variant="plainnet20", paper="9.99"),
        "residual": jobs.Row(variant="resnet20"),
    },
    settings={
        "quick": {
            "digits": jobs.Setting(
                recipe={**FOUR_STEPS, "pixel_mean": "channel"}, seeds=1
            )
        }
    },
)


def make(folder, experiment=TWO, scale="quick", **choices):
    return jobs.make("two", experiment, scale, workdir=folder, **choices)


def run(folder, todo):
    """(exit status, what it said, records)."""
    said, kept = [], results.Results(folder / "results", "two")
    status = runs.run(TWO, todo, kept, say=said.append)
    return status, said, kept.records()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_all_runs_of_an_experiment_can_be_made(name, tmp_path):
    experiment = EXPERIMENTS[name]
    for scale, settings in experiment.settings.items():
        for dataset in settings:
            made = jobs.make(
                name, experiment, scale, dataset=dataset, workdir=tmp_path
            )
            assert made
            assert len({job.workdir for job in made}) == len(made)
            assert len({job.key for job in made}) == len(made)


@pytest.mark.parametrize("name", TRAINED)
def test_the_full_scale_is_the_papers_schedule(name, tmp_path):
    for job in make(tmp_path, EXPERIMENTS[name], "full"):
        recipe = job.recipe
        # P1 sec. 4.2.
        assert recipe.dataset == "cifar10"
        assert recipe.batch_size == 128
        assert recipe.steps == 64_000
        assert recipe.boundaries == (32_000, 48_000)
        assert (recipe.learning_rate, recipe.momentum) == (0.1, 0.9)
        assert recipe.weight_decay == 1e-4
        assert not recipe.nesterov
        if EXPERIMENTS[name].source.startswith("P2"):
            # P2 sec. 3: "the first 400 iterations", for all.
            assert recipe.warmup_steps == 400
            assert recipe.warmup_learning_rate == 0.01
            assert recipe.warmup_error == 0


@pytest.mark.parametrize(
    "name, place",
    [
        ("shortcuts", "P2 Table 1"),
        ("placements", "P2 Table 2"),
        ("preactivation", "P2 Table 3"),
    ],
)
def test_an_experiment_has_all_rows_of_its_table(name, place):
    rows = EXPERIMENTS[name].rows.values()
    printed = papers.CIFAR_10[place]
    assert {row.variant: row.paper for row in rows} == printed


def test_degradation_compares_nets_that_differ_in_shortcuts_alone():
    rows = EXPERIMENTS["degradation"].rows
    for depth in (20, 32, 44, 56, 110):
        plain, residual = (
            specs.VARIANTS[rows[f"{kind}-{depth}"].variant]
            for kind in ("plain", "ResNet")
        )
        assert dataclasses.replace(plain, shortcut="A") == dataclasses.replace(
            residual, reference=plain.reference
        )


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_degradation_has_each_residual_net_pre_activated_too(depth):
    rows = EXPERIMENTS["degradation"].rows
    original, other = (rows[f"ResNet-{depth}{v}"] for v in ("", "_v2"))
    assert other.variant == original.variant
    assert other.overrides == {
        **original.overrides,
        "placement": "full_preact",
    }


def test_convergence_is_the_first_part_of_degradation_looked_at_more_often():
    for dataset, setting in (
        EXPERIMENTS["convergence"].settings["quick"].items()
    ):
        whole = EXPERIMENTS["degradation"].settings["quick"][dataset].recipe
        assert setting.recipe["steps"] <= whole["boundaries"][0]
        alike = {"steps", "boundaries", "eval_every_steps"}
        assert {k for k in whole if setting.recipe[k] != whole[k]} == alike


def test_a_data_set_without_a_setting_takes_the_first_ones(tmp_path):
    """Except for the pixels: the sizes of the digits are for the digits."""
    made = make(
        tmp_path, dataset="folder:/some/images", overrides={"image_size": 8}
    )
    assert {job.recipe.steps for job in made} == {4}
    assert {job.dataset for job in made} == {"folder:/some/images"}
    assert all(tmp_path in job.workdir.parents for job in made)


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"rows": ["dense"]}, "row of two.*'dense'"),
        ({"scale": "huge"}, "scale.*'huge'"),
        ({"scale": "full"}, "two has no scale 'full'"),
        ({"overrides": {"step": 4}}, "recipe field.*'step'"),
        ({"overrides": {"holdout_examples": 4}}, "cannot stand in"),
        ({"dataset": "cifar10"}, "digits how many pixels.*'cifar10'"),
        ({"dataset": "folder:x"}, "--image_size=32.*'folder:x'"),
    ],
)
def test_what_cannot_run_is_refused(choices, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        make(tmp_path, **choices)


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """A folder, the outcome of a run that is cut off, a list of its steps."""
    folder, steps = tmp_path_factory.mktemp("done"), []
    reporting = importlib.import_module("keras_resnet.training.reporting")
    after_step = reporting.Reporter.after_step

    def cut_off(reporter, state):
        after_step(reporter, state)
        steps.append(state.step)
        if len(steps) == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reporting.Reporter, "after_step", cut_off)
        yield folder, run(folder, make(folder, rows=["residual"])), steps


@pytest.fixture(scope="module")
def done(cut):
    """The jobs to do, and (status, said, records) of TWO's rows.

    The second row resumes; the first diverges at its rate.
    """
    folder, *_ = cut
    todo = [
        *make(folder, rows=["residual"]),
        *make(folder, rows=["plain"], overrides={"learning_rate": 1e30}),
    ]
    return todo[::-1], run(folder, todo)


def test_every_run_leaves_a_record_and_a_curve(done):
    _, (status, _, records) = done
    assert status == 0
    assert [record["row"] for record in records] == ["plain", "residual"]
    for record in records:
        assert record["seconds"] > 0
        assert record["environment"]["keras"]
        assert record["recipe"]["depths"] == [1, 1]
    assert record["status"] == "finished"
    curve = record["result"]["curve"]
    assert curve["step"] == [2, 4]
    assert curve["learning_rate"] == pytest.approx([0.1, 0.01])
    assert record["result"]["test_error"] == curve["test_error"][-1]
    assert 0 <= record["result"]["train_error"] <= 1


def test_a_divergence_is_a_result(done):
    _, (_, _, [record, _]) = done
    assert record["status"] == "failed"
    assert "not finite" in record["why"] or "loss is" in record["why"]
    assert "fail: 1 diverged" in curves.table(TWO, [record])


def test_what_has_a_record_is_not_run_again(cut, done):
    todo, (_, _, records) = done
    status, said, after = run(cut[0], todo)
    assert status == 0 and after == records
    assert all("has a record" in line for line in said)


def test_another_recipe_is_run_again_and_replaces_the_record(done, tmp_path):
    [first, second], (_, _, records) = done
    kept = results.Results(tmp_path, "two")
    for job, record in zip((first, second), records, strict=True):
        kept.add(job, record)
    changed = dataclasses.replace(
        first, recipe=dataclasses.replace(first.recipe, steps=5)
    )
    assert kept.find(first) and not kept.find(changed)
    kept.add(changed, records[0])
    assert [r["recipe"]["steps"] for r in kept.records()] == [5, 4]


def test_a_record_from_before_a_field_was_there_is_still_of_its_recipe(done):
    [job, _], (_, _, [first, _]) = done
    recipe = job.recipe
    first = {**first, "recipe": dict(first["recipe"])}
    del first["recipe"]["remat"]
    assert results.is_of(first, recipe)
    assert not results.is_of(first, dataclasses.replace(recipe, remat=True))


def test_a_run_that_was_cut_off_goes_on(cut, done):
    _, (status, said, records), steps = cut
    assert status == STATUS[signal.SIGTERM]
    assert "goes on from there" in said[-1] and not records
    assert steps[:4] == [1, 2, 3, 4]


def _add(folder, experiment_seed):
    kept = results.Results(folder, "two")
    [job] = make(folder, rows=["plain"], seeds=[experiment_seed])
    kept.add(job, {"status": "finished"})


def test_a_run_that_another_process_holds_is_passed_over(tmp_path):
    (job,) = todo = make(tmp_path, rows=["residual"])
    job.workdir.mkdir(parents=True)
    said, begun = [], []
    kept = results.Results(tmp_path / "results", "two")
    with files.locked(job.workdir, ""):
        status = runs.run(TWO, todo, kept, said.append, run_job=begun.append)
    assert (status, kept.records(), begun) == (0, [], [])
    assert re.search("not run. Another process writes to .*seed_0", said[-1])


def test_a_refused_run_adds_no_seconds_to_the_others(tmp_path):
    (job,) = make(tmp_path, rows=["residual"])
    job.workdir.mkdir(parents=True)
    with (
        files.locked(job.workdir, ""),
        pytest.raises(files.BusyError),
    ):
        training.train(job)
    assert list(job.workdir.iterdir()) == []


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(_add, [(tmp_path, seed) for seed in range(12)])
    seeds = [r["seed"] for r in results.Results(tmp_path, "two").records()]
    assert seeds == list(range(12))


def test_a_broken_file_of_records_is_named(tmp_path):
    (tmp_path / "two.json").write_text("[{")
    with pytest.raises(UsageError, match="two.json is not JSON.*Restore"):
        results.Results(tmp_path, "two").records()


def record(row, seed, test_error, *, status="finished", train_error=0.1):
    curve = {
        "step": [2, 4],
        "train_error": [0.9, train_error],
        "test_error": [0.9, test_error],
        "learning_rate": [0.1, 0.1],
    }
    return {
        "row": row,
        "seed": seed,
        "dataset": "digits",
        "status": status,
        "seconds": 3.0,
        "result": {
            "train_error": train_error,
            "test_error": test_error,
            "curve": curve,
        },
    }


def test_the_table_has_medians_and_spreads_beside_the_paper():
    errors = (0.10, 0.16, 0.12)
    table = curves.table(
        TWO, [record("plain", seed, e) for seed, e in enumerate(errors)]
    )
    cells = [cell.strip() for cell in table.splitlines()[2].split("|")]
    assert cells[1:8] == [
        "plain",
        "9.99",
        "10.00 (10.00..10.00)",
        "12.00 (10.00..16.00)",
        # Of 359 digits: sqrt(.12 * .88 / 359).
        "1.72",
        "never",
        "3",
    ]
    assert len(table.splitlines()) == 3  # nothing for a row without either


def test_how_fast_a_network_learns_is_the_first_error_below_5_per_cent():
    found = [record("plain", s, 0.1, train_error=0.04) for s in range(3)]
    assert curves.learnt(found) == "4"
    found[0]["result"]["curve"]["train_error"] = [0.049, 0.2]
    assert curves.learnt(found) == "4 (2..4)"
    found[1]["result"]["curve"]["train_error"] = [0.05, 0.05]
    assert curves.learnt(found) == "4 (2..never)"


@pytest.mark.parametrize(
    "paper, records, row, has, has_not",
    [
        ("fail", [("residual", 0.201)], "residual", "fail: 20.10", "not run"),
        ("fail", [("residual", 0.199)], "residual", "19.90", "fail"),
        # The paper's table does not speak of failing.
        ("6.97", [("residual", 0.201)], "residual", "20.10", "fail"),
        # What the paper prints and nobody ran.
        ("6.97", [], "plain", "not run", "residual"),
    ],
)
def test_a_line_says_what_failed_and_what_was_not_run(
    paper, records, row, has, has_not
):
    records = [record(name, 0, error) for name, error in records]
    plain = jobs.Row(variant="plainnet20", paper=paper)
    two = dataclasses.replace(TWO, rows={**TWO.rows, "plain": plain})
    [line] = curves.table(two, records).splitlines()[2:]
    assert row in line and has in line and has_not not in line


def test_the_report_shows_what_was_run(done, tmp_path, monkeypatch):
    todo, (_, _, records) = done
    docs = tmp_path / "docs"
    kept = results.Results(docs / report.RESULTS, "two")
    for job, found in zip(todo, records, strict=True):
        kept.add(job, found)
    wider = {"image_size": 28, "eval_resize": 28, "dtype": "mixed_bfloat16"}
    on_jax = {**found["environment"], "backend": "jax"}
    for job in make(tmp_path, dataset="fashion_mnist", overrides=wider):
        its = {"dataset": job.dataset, "environment": on_jax}
        kept.add(job, {**found, **its})
    monkeypatch.setattr(report, "EXPERIMENTS", {"two": TWO})
    listed = report.listing(docs / report.RESULTS)
    assert "\n    quick digits: training" in listed
    assert ": not run" not in listed
    assert ": not run" in report.listing(tmp_path)
    document, _, picture = report.write(docs)
    text = document.read_text()
    assert "Which?" in text and "9.99" in text
    of_digits, of_fashion = sorted(
        re.findall(r"pipelines/.*--experiment.*", text)
    )
    assert "/reproduce.py" in of_digits and "bfloat" not in of_digits
    assert "/reproduce_on_jax.py" in of_fashion
    assert "mixed_bfloat16" in of_fashion
    assert f"![Two](results/{picture.name})" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_landed_records_are_of_recipes_that_still_are():
    kept = {path.stem for path in (DOCS / report.RESULTS).glob("*.json")}
    # The counts of `make soak` are kept beside them.
    assert kept - {"soak"} <= set(EXPERIMENTS)
    for path in sorted((DOCS / report.RESULTS).glob("*.json")):
        if path.stem == "soak":
            continue
        experiment = EXPERIMENTS[path.stem]
        for found in json.loads(path.read_text()):
            made = jobs.make(
                path.stem,
                experiment,
                found["scale"],
                dataset=found["dataset"],
                rows=[found["row"]],
                seeds=[found["seed"]],
                # Records of a GPU are in bfloat16; a grid has several rates.
                overrides={
                    name: found["recipe"][name]
                    for name in ("dtype", "learning_rate")
                    if name == "dtype" or found["scale"] == "rates"
                },
                workdir="runs",
            )
            assert results.is_of(found, made[0].recipe), path


STORIES = report.STORIES


def test_the_results_on_paper_are_those_of_the_landed_records(
    tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(programs.PIPELINES)
    # Only the names of the pictures are compared.
    monkeypatch.setattr(figure.Figure, "savefig", lambda *_, **__: None)
    folder = tmp_path / report.RESULTS
    folder.mkdir()
    for path in (DOCS / report.RESULTS).glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    document, *pictures = report.write(tmp_path)
    landed = (DOCS / report.DOCUMENT).read_text(encoding="utf-8")
    assert document.read_text(encoding="utf-8") == landed
    for picture in pictures:
        assert (DOCS / report.RESULTS / picture.name).exists()


@pytest.mark.parametrize("name", STORIES)
def test_what_the_story_shows_is_there(name):
    text = (DOCS / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)]+)\)", text)
    files = [DOCS / link.partition("#")[0] for link in links]
    assert files and all(file.exists() for file in files)
    assert "{" not in text
    # Its tables have the rows of the landed records.
    folder = DOCS / report.RESULTS
    assert text.count("<!-- ") == 2
    assert report.filled(text, folder) == text
    assert (
        report.filled(text.replace("| identity |", "| same |"), folder) == text
    )


def test_both_languages_tell_the_same_figures():
    figures = [
        re.findall(r"\d+\.\d+", (DOCS / name).read_text(encoding="utf-8"))
        for name in STORIES
    ]
    assert figures[0] == figures[1]
