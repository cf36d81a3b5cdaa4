"""The ImageNet tables: the papers' figures, and every row's way to one.

The quick scale runs the code of the full one, on JPEG files.
"""

import dataclasses
import itertools
import pathlib

import programs
import pytest
from PIL import Image

from keras_resnet.labels import cards
from keras_resnet.labels.view import View
from keras_resnet.networks import papers
from keras_resnet.networks import specs

imagenet = programs.module("reproduction.imagenet")
photographs = programs.module("reproduction.imagenet_photographs")
rows = programs.module("reproduction.imagenet_rows")
jobs = programs.module("reproduction.jobs")
results = programs.module("reproduction.results")
runs = programs.module("reproduction.runs")

TINY = {
    "depths": (1, 1, 1, 1),
    "image_size": 16,
    "eval_resize": 18,
    "scale_range": (18, 34),
    "batch_size": 8,
    "steps": 2,
    "eval_every_steps": 2,
    "log_every_steps": 1,
}
LINES = list(itertools.chain(*rows.TABLES.values()))

# A printed line of each table, copied by hand: (row, view) -> errors, %.
PRINTED = {
    ("plain-18", "ten_crop"): [("27.94", "")],
    ("ResNet-34_A", "ten_crop"): [("25.03", ""), ("25.03", "7.76")],
    ("ResNet-152", "multi_scale"): [("19.38", "4.49")],
    ("ensemble_of_6", "multi_scale"): [("", "3.57")],
    ("ResNet-101_bn_after_addition", "center"): [("24.6", "7.5")],
    ("ResNet-152", "center"): [("23.0", "6.7")],
    ("ResNet-200_preactivation_area", "center_320"): [("20.1", "4.8")],
}


def test_the_tables_are_the_papers():
    for key, errors in PRINTED.items():
        found = [(x.top1, x.top5) for x in LINES if (x.row, x.view) == key]
        assert found == errors
    printed = itertools.chain(
        *(table.values() for table in papers.TEN_CROPS.values()),
        *(table.values() for table in papers.MULTI_SCALE.values()),
        *(table.values() for table in papers.ONE_CROP_OF_320.values()),
    )
    # Nothing that is printed is left out.
    assert set(printed) <= {(line.top1, line.top5) for line in LINES}


def test_every_row_is_in_a_table_and_every_view_is_used():
    assert {line.row for line in LINES} == set(rows.ROWS)
    assert {line.view for line in LINES} == set(imagenet.VIEWS)


def test_the_ensemble_has_six_models_two_of_them_of_152_layers():
    """P1 Table 5: "combine six models of different depth"."""
    members = rows.ENSEMBLES["ensemble_of_6"]
    assert len(set(members)) == 6
    assert [name for name, _ in members].count("ResNet-152") == 2


@pytest.mark.parametrize("row", sorted(set(rows.ROWS) - set(rows.ENSEMBLES)))
def test_the_full_recipe_is_that_of_the_rows_paper(row):
    [job] = jobs.make(
        "imagenet", rows.IMAGENET, "full", rows=[row], workdir="runs"
    )
    recipe = job.recipe
    depth = int(row.split("_")[0].split("-")[1])
    variant = specs.VARIANTS[recipe.variant]
    assert variant.depth == depth
    shortcut = "none" if row.startswith("plain") else "B"
    assert variant.shortcut == {"A": "A", "C": "C"}.get(row[-1], shortcut)
    placement = recipe.placement or variant.placement
    if "preactivation" in row:
        assert placement == "full_preact"
    else:
        after = "bn_after_addition" in row
        assert placement == ("bn_after_add" if after else "original")
    assert (recipe.learning_rate, recipe.momentum) == (0.1, 0.9)
    assert (recipe.weight_decay, recipe.batch_size) == (1e-4, 256)
    # P2 sec. 5: 8 GPUs, so that BN sees 32 images.
    assert recipe.batch_size / recipe.gradient_accumulation_steps == 32
    assert (recipe.image_size, recipe.eval_resize) == (224, 256)
    assert not recipe.depths and not recipe.warmup_steps
    area = row.endswith("_area")
    assert recipe.augmentation == ("area_crop_color" if area else "imagenet")
    if "preactivation" in row or depth == 200:
        epoch = -(-1_281_167 // 256)
        assert (recipe.schedule, recipe.holdout_examples) == ("steps", 0)
        assert recipe.boundaries == (30 * epoch, 60 * epoch)
    else:
        assert (recipe.schedule, recipe.steps) == ("plateau", 600_000)
        # Held-out images, not the reported ones, decide the rate.
        assert recipe.holdout_examples == 10_000


def test_the_views_of_224_pixels_are_the_papers():
    card = cards.Card(class_names=("a",), image_size=224, eval_resize=256)
    sizes = {name: look.view(card) for name, look in imagenet.VIEWS.items()}
    # P1 sec. 3.4; P2 Table 5.
    scales = (224, 256, 384, 480, 640)
    usual = View(resize=256, crop=224, scales=scales)
    assert sizes.pop("center_320") == View(resize=320, crop=320)
    assert set(sizes.values()) == {usual}


def quick_jobs(names, **choices):
    choices = {"overrides": TINY, "workdir": "runs", **choices}
    return jobs.make("imagenet", rows.IMAGENET, "quick", rows=names, **choices)


def run(names, **choices):
    """(what it said, records) in the current folder."""
    said, kept = [], results.Results(pathlib.Path("docs"), "imagenet")
    todo = quick_jobs(names, **choices)
    assert runs.run(rows.IMAGENET, todo, kept, say=said.append) == 0
    return said, kept.records()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("imagenet")


# The ensemble's views. Graphs of the others take long; `views_test` tests them.
TWO_VIEWS = ("ten_crop", "center_320")


@pytest.fixture(scope="module")
def done(folder):
    """{row: record} of plain-18, ResNet-18 and their ensemble."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        *_, last = rows.TABLES
        two = [line for line in rows.TABLES[last] if line.view in TWO_VIEWS]
        patch.setitem(rows.TABLES, last, two)
        for variant in ("plainnet18", "resnet18_a"):  # as wide as the stem
            row = specs.VARIANTS[variant]
            narrow = dataclasses.replace(row, filters=(64,) * 4)
            patch.setitem(specs.VARIANTS, variant, narrow)
        _, records = run(["plain-18", "ResNet-18_A", "ensemble_of_18"])
    return {record["row"]: record for record in records}


@pytest.mark.large
def test_every_row_leaves_the_errors_of_its_tables_views(done, folder):
    assert len(done) == 3
    for name, record in done.items():
        assert record["status"] == "finished"
        views = TWO_VIEWS if name == "ensemble_of_18" else rows.views(name)
        assert tuple(record["result"]["views"]) == views
        for errors in record["result"]["views"].values():
            assert errors["num_examples"] == 24
            assert 0 <= errors["top5_error"] <= errors["top1_error"] <= 1
    assert rows.views("plain-18") == ("ten_crop",)
    assert set(rows.views("ensemble_of_18")) == set(imagenet.VIEWS)
    # The images come from JPEG files.
    data = folder / "runs" / "photographs"
    assert len(list(data.glob("train/*/*.jpg"))) == 72
    assert done["plain-18"]["dataset"] == rows.PHOTOGRAPHS
    assert done["plain-18"]["result"]["curve"]["step"] == [2]
    assert "curve" not in done["ensemble_of_18"]["result"]


@pytest.mark.large
def test_an_ensemble_loses_no_more_than_its_members_on_the_mean(done):
    """-log of a mean is at most the mean of the -logs (Jensen)."""
    ensemble, *members = (
        done[row]["result"]["views"]["ten_crop"]["loss"]
        for row in ("ensemble_of_18", "plain-18", "ResNet-18_A")
    )
    assert done["ensemble_of_18"]["result"]["members"] == [
        "plain-18/seed_0",
        "ResNet-18_A/seed_0",
    ]
    assert members[0] != members[1]
    assert ensemble < sum(members) / 2


@pytest.mark.large
def test_an_ensemble_without_a_model_says_which_and_leaves_no_record(
    done, folder, monkeypatch
):
    monkeypatch.chdir(folder)
    (job,) = quick_jobs(["ensemble_of_6"])
    (job.workdir.parents[1] / "ResNet-50" / "seed_0").mkdir(parents=True)
    with pytest.raises(jobs.NotReadyError, match="ResNet-50/seed_0.*--rows"):
        imagenet.run(job)
    said, records = run(["ensemble_of_18"], seeds=[1])
    assert "not run" in said[-1] and "plain-18/seed_1" in said[-1]
    assert [r["seed"] for r in records] == [0, 0, 0]
    members = (*rows.ENSEMBLES["ensemble_of_18"], ("ResNet-152", 1))
    monkeypatch.setitem(rows.ENSEMBLES, "ensemble_of_18", members)
    (job,) = quick_jobs(["ensemble_of_18"])
    with pytest.raises(jobs.NotReadyError, match="trained: ResNet-152/seed_1"):
        imagenet.run(job)


def cells(table, row, view):
    lines = [line.split("|") for line in table.splitlines()]
    found = [[cell.strip() for cell in line[1:-1]] for line in lines]
    return [line[2:] for line in found if line[:2] == [row, view]]


@pytest.mark.large
def test_the_table_has_ours_beside_the_papers(done):
    errors = done["plain-18"]["result"]["views"]["ten_crop"]
    # Give the ensemble errors for all views, also for those that were not run.
    views = {"views": dict.fromkeys(imagenet.VIEWS, errors)}
    ensemble = {**done["ensemble_of_18"], "result": views}
    table = imagenet.table(rows.IMAGENET, [done["plain-18"], ensemble])
    for title in rows.TABLES:
        assert title in table
    ours = [f"{100 * errors[f'top{k}_error']:.2f}" for k in (1, 5)]
    assert cells(table, "plain-18", "ten_crop") == [["27.94", "", *ours, "1"]]
    not_run = ["not run", "not run", ""]
    assert cells(table, "plain-34", "ten_crop") == [
        ["28.54", "", *not_run],
        ["28.54", "10.02", *not_run],
    ]
    # Without records the table has only the papers' errors.
    table = imagenet.table(rows.IMAGENET, [])
    assert "ensemble_of_18" not in table
    assert cells(table, "plain-18", "ten_crop") == [["27.94", "", *not_run]]


def test_seeds_have_a_median_and_a_spread_and_a_divergence_is_said():
    records = [
        {
            "row": "plain-18",
            "status": "finished",
            "result": {
                "views": {"ten_crop": {"top1_error": error, "top5_error": 0.0}}
            },
        }
        for error in (0.3, 0.1, 0.2)
    ]
    diverged = {"row": "plain-18", "status": "failed", "result": {"curve": {}}}
    words = imagenet.summary([*records, diverged])
    assert words.startswith("20.00 (10.00..30.00), 1 diverged / 0.00")
    assert imagenet.summary([diverged]).startswith("fail: 1 diverged")


@pytest.mark.large
def test_the_curves_are_drawn_and_an_ensemble_has_none(done, tmp_path):
    ensemble = {"row": "ensemble_of_6", "result": {"views": {}}}
    for records in (list(done.values()), [ensemble]):
        path = tmp_path / f"{len(records)}.png"
        imagenet.picture(rows.IMAGENET, records, path)
        assert path.read_bytes().startswith(b"\x89PNG")


def test_the_photographs_are_the_same_each_time_and_of_several_shapes(
    tmp_path,
):
    for name in ("a", "b"):
        photographs.ensure(tmp_path / name)
    files = sorted((tmp_path / "a").rglob("*.jpg"))
    assert len(files) == 8 * 12
    shapes = {Image.open(file).size for file in files}
    assert shapes == set(photographs.SIZES)
    for file in files:
        other = tmp_path / "b" / file.relative_to(tmp_path / "a")
        assert file.read_bytes() == other.read_bytes()
    (tmp_path / "a" / "train").rename(tmp_path / "a" / "mine")
    photographs.ensure(tmp_path / "a")
    assert not (tmp_path / "a" / "train").exists(), "a user's folder stays"
