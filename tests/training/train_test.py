"""From a folder of pictures to a model in one call."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from stops import StopAt

import keras_resnet
from keras_resnet.data import sources
from keras_resnet.errors import UsageError
from keras_resnet.recipes import own_images
from keras_resnet.training import choices
from keras_resnet.training import run as run_lib
from keras_resnet.training import signals

TINY = {"depths": (1,), "filters": (16,), "image_size": 16, "eval_resize": 16}
CHOICES = {**TINY, "epochs": 2, "keep": "best", "exif": "ignore"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """15 light and 15 dark pictures of 24 to 30 pixels, and another file."""
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
    return keras_resnet.train(photos, workdir, **CHOICES)


def test_the_recipe_is_chosen_by_the_pictures(photos, run):
    recipe = run.recipe
    assert recipe.dataset == f"folder:{photos}"
    assert (recipe.variant, recipe.batch_size) == ("resnet20", 4)
    assert recipe.steps == 2 * 24 // 4  # 24 of 30 are trained on
    assert recipe.depths == (1,)
    assert choices.choose(f"folder:{photos}").image_size == 32


def test_a_run_has_what_it_left(run):
    assert run.class_names == ("dark", "밝은 것")
    assert [record["epoch"] for record in run.history] == [1, 2]
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
    again = keras_resnet.train(photos, run.workdir, **CHOICES)
    assert again.history == run.history and again.metrics == run.metrics


def test_weights_of_a_run_bring_its_network_and_pixels_to_few_grey_images(
    run, tmp_path
):
    levels = np.array([220, 223, 226, 229, 40, 43, 46, 49], np.uint8)
    grey = (
        np.broadcast_to(levels[:, None, None], (8, 40, 40)),
        [0] * 4 + [1] * 4,
    )
    tuned = keras_resnet.train(
        grey,
        tmp_path / "run",
        class_names=("day", "night"),
        weights=run.workdir / "model.keras",
        epochs=4,
    )
    same = ("variant", "depths", "image_size", "augmentation", "pad_pixels")
    same += ("exif",)
    for field in same:
        assert getattr(tuned.recipe, field) == getattr(run.recipe, field)
    assert tuned.recipe.freeze_batch_norm
    assert tuned.class_names == ("day", "night")
    assert tuned.metrics.top1_accuracy == 1.0
    without = choices.choose(tuned.recipe.dataset)
    assert (without.depths, without.image_size) == ((), 32)
    assert (run.recipe.exif, without.exif) == ("ignore", "apply")


def test_a_part_and_a_place_are_chosen_by_name(photos):
    assert choices.name_of(f"{photos}/", 0.5) == (
        f"folder:{photos}?validation=0.5"
    )
    assert choices.name_of("digits") == "digits"
    assert choices.default_workdir(f"folder:{photos}?seed=1") == "runs/photos"
    assert choices.default_workdir("digits") == "runs/digits"
    recipe = choices.choose(f"folder:{photos}?validation=0.5", epochs=2)
    assert recipe.steps == -(-2 * 16 // recipe.batch_size)


def _table(photos, tmp_path):
    """A CSV file of the photos."""
    rows = [f"{path},{path.parent.name}\n" for path in photos.glob("*/*.png")]
    (tmp_path / "mine.csv").write_text("path,label\n" + "".join(rows))
    return tmp_path / "mine.csv"


def _arrays(photos, tmp_path):
    del photos, tmp_path
    images, labels = load_digits(return_X_y=True)
    images = (images[:40].reshape(-1, 8, 8) * 15).astype(np.uint8)
    return images, labels[:40] % 2


def _source(photos, tmp_path):
    """A list has a length and gives the example of an index."""
    return [*zip(*_arrays(photos, tmp_path), strict=True)]


def test_a_csv_file_is_taken_as_a_folder_is(photos, tmp_path):
    path = _table(photos, tmp_path)
    assert choices.name_of(path, 0.3) == f"csv:{path}?validation=0.3"
    # A name with a source stays as it is.
    for name in (f"csv:{path}", "tfrecord:a.csv"):
        assert choices.name_of(name) == name
    assert choices.default_workdir(f"csv:{path}?seed=1") == "runs/mine"
    assert choices.choose(f"csv:{path}").image_size == 32
    with pytest.raises(UsageError, match="no folder or CSV file .*none.csv'"):
        keras_resnet.train(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="names of its own"):
        choices.name_of(path, class_names=("a", "b"))


def test_other_data_do_not_go_on_with_a_run(photos, run, tmp_path):
    name = choices.name_of(_arrays(photos, tmp_path))
    assert (
        choices.default_workdir(name) == f"runs/{name.removeprefix('memory:')}"
    )
    with pytest.raises(UsageError, match=f"another recipe .*'{name}' now"):
        keras_resnet.train(_arrays(photos, tmp_path), run.workdir, **TINY)


@pytest.mark.large  # three runs each
@pytest.mark.parametrize("make", [_table, _arrays, _source])
def test_a_run_on_data_of_any_kind_resumes_bit_for_bit(make, photos, tmp_path):
    data = make(photos, tmp_path)
    recipe = choices.choose(
        choices.name_of(data), steps=4, fields={**TINY, "batch_size": 8}
    )
    recipe = dataclasses.replace(recipe, checkpoint_every_steps=2)
    run_lib.train_and_evaluate(recipe, tmp_path / "whole")
    with pytest.raises(signals.Interrupted):
        run_lib.train_and_evaluate(recipe, tmp_path / "two", hooks=[StopAt(3)])
    # As in another process, to which the data are passed again.
    sources.HELD.clear()
    assert choices.name_of(make(photos, tmp_path)) == recipe.dataset
    run_lib.train_and_evaluate(recipe, tmp_path / "two", resume="must")
    models = [
        keras.saving.load_model(tmp_path / name / "model.keras")
        for name in ("whole", "two")
    ]
    for a, b in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(np.any(w != 0) for w in models[0].get_weights())


@pytest.mark.parametrize(
    "choices, message",
    [
        ({"epochs": 1, "steps": 1}, "one of steps, epochs and examples"),
        ({"epochs": 0}, "epochs must be a number > 0"),
        ({"warmup_epochs": 0}, "epochs must be a number > 0"),
        ({"warmup_epochs": 1, "warmup_steps": 3}, "one of warmup_epochs and"),
        ({"optimizer": "adamw"}, "Say learning_rate with optimizer=adamw"),
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
    with pytest.raises(
        UsageError, match="^There is no folder or CSV file 'phtos'"
    ):
        keras_resnet.train("phtos", tmp_path / "run")


def test_an_evaluation_follows_each_epoch_also_where_batches_do_not_divide():
    recipe = own_images.make(
        "folder:x", num_examples=479, shorter_side=28, epochs=2
    )
    assert (recipe.steps, recipe.eval_every_steps) == (30, 15)


def test_other_data_have_no_part_to_hold_out(tmp_path):
    with pytest.raises(UsageError, match="Received: 'digits', which is nei"):
        keras_resnet.train("digits", tmp_path, validation=0.2)


def test_files_that_are_no_images_are_named_before_the_first_step(
    photos, tmp_path
):
    mine = tmp_path / "photos"
    shutil.copytree(photos, mine)
    (mine / "dark" / "notes.jpg").write_text("milk")
    whole = (mine / "dark" / "3.png").read_bytes()
    (mine / "dark" / "half.png").write_bytes(whole[:20])
    workdir = tmp_path / "run"
    bad = r"read 2 images: .*(notes.*half|half.*notes).*mask:2"
    with pytest.raises(UsageError, match=bad):
        keras_resnet.train(mine, workdir)
    assert not workdir.exists()
    fields = {"on_bad_image": "mask:2"}
    assert choices.choose(f"folder:{mine}", fields=fields).steps


def test_a_folder_that_nobody_can_read_says_so(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(3):
            (tmp_path / name / f"{i}.jpg").write_text(f"no image {name}{i}")
    with pytest.raises(UsageError, match="None of 4 images .* can be read"):
        keras_resnet.train(tmp_path, tmp_path / "run")
