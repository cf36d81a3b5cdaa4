"""From a folder of pictures to a model in one call."""

import json

import numpy as np
import pytest
from PIL import Image

import keras_resnet
from keras_resnet.errors import UsageError
from keras_resnet.recipes import own_images
from keras_resnet.training import train

TINY = {"depths": (1, 1, 1), "image_size": 16, "eval_resize": 16}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """15 light and 15 dark pictures of 24 to 30 pixels, and what is none."""
    folder = tmp_path_factory.mktemp("mine") / "photos"
    rng = np.random.default_rng(0)
    for name, level in (("밝은 것", 200), ("dark", 50)):
        (folder / name).mkdir(parents=True)
        for i in range(15):
            noise = rng.integers(-40, 40, (24 + i % 4, 30, 3))
            image = Image.fromarray((level + noise).astype(np.uint8))
            image.save(folder / name / f"{i}.png")
    (folder / "dark" / ".DS_Store").write_bytes(b"x")
    return folder


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    return keras_resnet.train(photos, workdir, epochs=4, keep="best", **TINY)


def test_the_recipe_is_chosen_by_the_pictures(photos, run):
    recipe = run.recipe
    assert recipe.dataset == f"folder:{photos}"
    assert (recipe.variant, recipe.batch_size) == ("resnet20", 4)
    assert recipe.steps == 4 * 24 // 4  # 24 of 30 are trained on
    assert recipe.depths == (1, 1, 1)
    assert train.choose(f"folder:{photos}").image_size == 32


def test_a_run_has_what_it_left(run):
    assert run.class_names == ("dark", "밝은 것")
    assert [record["epoch"] for record in run.history] == [1, 2, 3, 4]
    best = max(record["top1_accuracy"] for record in run.history)
    assert run.metrics.top1_accuracy == best > 0.8
    report = run.report()
    assert report.metrics.num_examples == 6 == report.support.sum()
    assert report.metrics.top1_accuracy == pytest.approx(best)
    assert f"accuracy {best:.2%} of 6 images" in repr(run)
    assert "top1_accuracy" in run._repr_html_()
    config = json.loads((run.workdir / "config.json").read_text())
    assert config["recipe"]["keep"] == "best"


def test_the_same_call_goes_on_and_changes_nothing(photos, run):
    again = keras_resnet.train(
        photos, run.workdir, epochs=4, keep="best", **TINY
    )
    assert again.history == run.history and again.metrics == run.metrics


def test_weights_of_a_run_bring_its_network_and_pixels_to_few_grey_images(
    run, tmp_path
):
    for name, level in (("day", 220), ("night", 40)):
        (tmp_path / "grey" / name).mkdir(parents=True)
        for i in range(4):
            image = Image.new("L", (40, 40), level + 3 * i)
            image.save(tmp_path / "grey" / name / f"{i}.png")
    weights = run.workdir / "model.keras"
    tuned = keras_resnet.train(
        tmp_path / "grey", tmp_path / "run", weights=weights, epochs=4
    )
    same = ("variant", "depths", "image_size", "augmentation", "pad_pixels")
    for field in same:
        assert getattr(tuned.recipe, field) == getattr(run.recipe, field)
    assert tuned.recipe.freeze_batch_norm
    assert tuned.class_names == ("day", "night")
    assert tuned.metrics.top1_accuracy == 1.0
    without = train.choose(f"folder:{tmp_path / 'grey'}")
    assert (without.depths, without.image_size) == ((), 32)


def test_a_part_and_a_place_are_chosen_by_name(photos):
    assert train.name_of(f"{photos}/", 0.5) == (
        f"folder:{photos}?validation=0.5"
    )
    assert train.name_of("digits") == "digits"
    assert train.default_workdir(f"folder:{photos}?seed=1") == "runs/photos"
    assert train.default_workdir("digits") == "runs/digits"
    recipe = train.choose(f"folder:{photos}?validation=0.5", epochs=2)
    assert recipe.steps == -(-2 * 16 // recipe.batch_size)


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"epochs": 1, "steps": 1}, "one of steps, epochs and examples"),
        ({"epochs": 0}, "epochs must be a number > 0"),
        ({"learning_rat": 1}, "Did you mean 'learning_rate'"),
        ({"validation": 1.5}, "validation must be between 0 and 1"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    photos, tmp_path, choices, message
):
    with pytest.raises(UsageError, match=message):
        keras_resnet.train(photos, tmp_path / "run", **choices)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="^There is no folder 'phtos'. Data"):
        keras_resnet.train("phtos", tmp_path / "run")


def test_an_evaluation_follows_each_epoch_also_where_batches_do_not_divide():
    recipe = own_images.make(
        "folder:x", num_examples=479, shorter_side=28, epochs=2
    )
    assert (recipe.steps, recipe.eval_every_steps) == (30, 15)


def test_other_data_have_no_part_to_hold_out(tmp_path):
    with pytest.raises(UsageError, match="a folder of pictures. Received: 'd"):
        keras_resnet.train("digits", tmp_path, validation=0.2)


def test_a_folder_that_nobody_can_read_says_so(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(3):
            (tmp_path / name / f"{i}.jpg").write_text(f"no image {name}{i}")
    with pytest.raises(UsageError, match="None of 4 images .* can be read"):
        keras_resnet.train(tmp_path, tmp_path / "run")
