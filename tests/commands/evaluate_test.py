"""The command evaluate: several networks, views and devices."""

import json

import keras
import numpy as np
import programs
import pytest
from exported_networks import card_of
from exported_networks import network
from photographs import encoded
from photographs import photograph

from keras_resnet.data import datasets
from keras_resnet.data.pixels import crops
from keras_resnet.evaluation import views
from keras_resnet.labels import cards
from keras_resnet.labels.view import View
from keras_resnet.training import distribution

NAMES = ("0", "1", "2")


def _photographs(folder):
    """Writes one photograph a class, each of another size, in both splits."""
    for i, name in enumerate(NAMES):
        pixels = photograph()[9 * i :, 31 * i :][: 30 + 9 * i, :60]
        for split in ("train", "validation"):
            path = folder / split / name / "1.png"
            path.parent.mkdir(parents=True)
            path.write_bytes(encoded(pixels, "PNG"))
    return f"folder:{folder}"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two networks of different sizes, and one for other classes."""
    root = tmp_path_factory.mktemp("models")
    dataset, paths = _photographs(root / "data"), {}
    for name, size, names in (
        ("a", 16, NAMES),
        ("b", 20, NAMES),
        ("letters", 16, ("0", "1", "x")),
    ):
        paths[name] = root / name / "model.keras"
        paths[name].parent.mkdir()
        small = {"classes": 3, "depths": (1, 1), "filters": (16, 16)}
        model = network(input_shape=(size, size, 3), seed=size, **small)
        model.save(paths[name])
        card_of(model, dataset=dataset, class_names=names).save(root / name)
    return paths


@pytest.mark.parametrize(
    "arguments, scales",
    [
        pytest.param(
            ["--views=ten_crop", "--strategy=mirrored", "--devices=2"],
            None,
            marks=pytest.mark.large,
        ),
        (["--views=multi_scale", "--scales=16,24"], (16, 24)),
    ],
    ids=["ten_crop", "multi_scale"],
)
def test_the_command_reports_each_network_and_the_ensemble(
    models, tmp_path, arguments, scales
):
    figures = tmp_path / "figures.json"
    pair = [f"--model={models[name]}" for name in "ab"]
    result = programs.start(
        "evaluate", *pair, f"--json={figures}", *arguments, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    view = arguments[0].removeprefix("--views=")
    first, second, last = result.stdout.splitlines()
    assert first.startswith(f"{models['a']}: top-1 error ")
    assert second.startswith(f"{models['b']}: top-1 error ")
    assert f"/validation, {view}, ensemble of 2: top-1 error " in last
    assert last.endswith("of 3 images")
    measured = json.loads(figures.read_text())
    assert measured["views"] == view
    members = []
    for name, size in (("a", 16), ("b", 20)):
        model = keras.saving.load_model(models[name], compile=False)
        seen = View(
            resize=size + size // 8,
            crop=size,
            scales=scales or crops.scales_for(size),
        )
        members.append(views.Member(model=model, view=seen))
    dataset = cards.load_card(models["a"].parent).dataset
    *each, together = views.evaluate(
        members,
        distribution.make_strategy("one_device"),
        datasets.load(dataset, "validation"),
        views=view,
        batch_size=100,
    )
    found = [*measured["models"], measured]
    for ours, theirs in zip(found, [*each, together], strict=True):
        np.testing.assert_allclose(ours["loss"], theirs.loss, rtol=1e-6)
        assert ours["top1_accuracy"] == theirs.top1_accuracy
        assert ours["num_examples"] == 3
    assert [m["crop"] for m in measured["models"]] == [16, 20]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--scales=16"], "--scales goes with --views=multi_scale"),
        (["--model={a}"], "more than once"),
        (["--model={letters}"], "Class 2 is '2' for"),
    ],
)
def test_a_mistake_is_one_message(models, arguments, message):
    arguments = ["--model={a}", *arguments]
    arguments = [argument.format(**models) for argument in arguments]
    result = programs.start("evaluate", *arguments, cwd=programs.ROOT)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
