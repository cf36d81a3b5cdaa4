"""A model that is pushed: what leaves the machine, and who reads it."""

import dataclasses
import re

import huggingface_hub
import numpy as np
import peers
import programs
import pytest
from hub_server import hub as hub_fixture
from PIL import Image
from small_weights import pixels
from small_weights import small_model

import keras_resnet
from keras_resnet import UsageError
from keras_resnet import recipes
from keras_resnet.export import model_card
from keras_resnet.labels import cards
from keras_resnet.weights import repositories

hub = hub_fixture
NAMES = tuple("abcde")
CARD = cards.Card(
    class_names=NAMES,
    image_size=32,
    eval_resize=40,
    variant="resnet50_v1_5",
    dataset="folder:/home/secret/photos",
)
RECIPE = dataclasses.replace(
    recipes.RECIPES["digits"],
    dataset=CARD.dataset,
    weights="/home/secret/old.keras",
    learning_rate=0.0625,
)
FILES = [
    *("README.md", "card.json", "config.json"),
    *("labels.txt", "model.keras", "model.safetensors"),
]


def _model(variant="resnet50_v1_5", **choices):
    choices = {"filters": (8, 16, 32, 64), **choices}
    model = small_model(variant, classifier_activation="softmax", **choices)
    model.card = dataclasses.replace(CARD, variant=variant)
    return model


def test_timm_is_told_of_networks_that_it_computes_alone():
    """A dilated network's names fit timm's, but timm would stride."""
    found = {}
    for stride in (None, 16):
        model = _model(output_stride=stride)
        own = model_card.described(model, model.card)
        config = model_card.config(model, model.card, own, readable=True)
        found[stride] = config.get("architecture")
    assert found == {None: "resnet50", 16: None}


@pytest.fixture(scope="module")
def model():
    return _model()


def _push(name, model, **options):
    return keras_resnet.push(
        name,
        model,
        recipe=RECIPE,
        metrics={"top1_accuracy": 0.875},
        licence="mit",
        **options,
    )


def test_a_dry_run_lists_the_files_and_asks_the_server_nothing(hub, model):
    asked = len(hub.asked)
    pushed = _push("me/dry", model)
    assert list(pushed.files) == FILES and min(pushed.files.values()) > 0
    assert pushed.url is None and "Nothing was written" in str(pushed)
    assert len(hub.asked) == asked and "me/dry" not in hub.repositories


@pytest.fixture(scope="module")
def pushed(hub, model):
    return _push("me/flowers", model, dry_run=False)


def test_what_is_pushed_is_read_here(hub, model, pushed):
    assert pushed.url == f"{hub.url}/me/flowers/commit/1"
    held = {n: len(c) for n, c in hub.repositories["me/flowers"].items()}
    assert held == pushed.files
    images = pixels(32)
    expected = np.asarray(model(images))
    whole = keras_resnet.load("hf://me/flowers")
    np.testing.assert_array_equal(np.asarray(whole(images)), expected)
    assert whole.card == dataclasses.replace(CARD, dataset="")
    found = repositories.describe("hf://me/flowers")
    by_weights = keras_resnet.build(
        "resnet50_v1_5",
        weights="hf://me/flowers",
        input_shape=(32, 32, 3),
        **found.choices,
    )
    np.testing.assert_array_equal(np.asarray(by_weights(images)), expected)
    assert by_weights.card == whole.card


def test_the_card_has_figures_recipe_and_licence_and_no_path(hub, pushed):
    files = hub.repositories["me/flowers"]
    for name, content in files.items():
        assert b"secret" not in content, name
    text = files["README.md"].decode()
    card = huggingface_hub.ModelCard(text)
    assert card.data.license == "mit" and "keras_resnet" in card.data.tags
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", 0.875)
    assert "| learning_rate | 0.0625 |" in text
    assert 'keras_resnet.load("hf://me/flowers")' in text


@pytest.mark.parametrize(
    "variant", ["resnet50_v1_5", "resnet18", "resnet50_v2_timm"]
)
def test_timm_reads_what_is_pushed(variant, hub):
    timm = peers.timm_module()
    model, images = _model(variant), pixels(32)
    _push(f"me/{variant}", model, dry_run=False)
    net = timm.create_model(f"hf-hub:me/{variant}", pretrained=True).eval()
    assert net.pretrained_cfg["label_names"] == list(NAMES)
    mean, std = (
        255 * np.asarray(net.pretrained_cfg[name]) for name in ("mean", "std")
    )
    logits = peers.torch_logits(net, images, mean, std)
    theirs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model(images)), theirs, atol=1e-5)


def test_a_network_that_timm_lacks_is_pushed_in_our_names(hub):
    model = _model("resnet20", depths=(1, 1, 1), filters=(16, 16, 16))
    _push("me/cifar", model, dry_run=False)
    assert b"architecture" not in hub.repositories["me/cifar"]["config.json"]
    images = pixels(32)
    found = keras_resnet.load("hf://me/cifar")
    np.testing.assert_array_equal(found(images), model(images))


@pytest.fixture(scope="module")
def shell(hub, tmp_path_factory):
    """A folder with pictures and a model that the command has pushed."""
    root = tmp_path_factory.mktemp("shell")
    levels = {name: 40 * number for number, name in enumerate(NAMES)}
    for name, level in levels.items():
        (root / "photos" / name).mkdir(parents=True)
        for number in range(5):
            picture = np.full((40, 40, 3), level + number, "uint8")
            file = root / "photos" / name / f"{number}.png"
            Image.fromarray(picture).save(file)
    model = _model()
    model.save(root / "model.keras")
    model.card.save(root)
    said = _said(root, "push", "me/shell", "model.keras", "--nodry_run")
    assert f"Written: {hub.url}/me/shell/commit/1" in said
    return root


def _said(root, command, *words):
    done = programs.start(command, *words, cwd=root)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.large
def test_the_command_is_a_dry_run_if_nobody_says_no(hub, shell):
    said = _said(shell, "push", "me/other", "model.keras", "--licence=mit")
    assert "this was a dry run" in said and "me/other" not in hub.repositories


HANDLE = "hf://me/shell"
PHOTOS = "--dataset=folder:photos"


@pytest.mark.parametrize(
    "command, words, said",
    [
        ("explain", [HANDLE, "photos/a/0.png"], "photos/a/0.png .*gradcam"),
        pytest.param(
            "evaluate",
            [HANDLE, PHOTOS],
            r"error \d.*of 5 images",
            marks=pytest.mark.large,
        ),
        pytest.param(
            "train",
            [
                *("photos", f"--weights={HANDLE}", "--variant=resnet50_v1_5"),
                *("--depths=1,1,1,1", "--filters=8,16,32,64", "--steps=2"),
                *("--image_size=32", "--eval_resize=40", "--batch_size=4"),
            ],
            f"weights={HANDLE}(.|\n)*after 2 steps",
            marks=pytest.mark.large,
        ),
        pytest.param(
            "verify",
            [f"--model={HANDLE}", "exported", PHOTOS],
            f"exported holds {HANDLE}, by 5 images",
            marks=pytest.mark.large,
        ),
    ],
)
def test_commands_take_what_the_command_has_pushed(command, words, said, shell):
    if command == "verify":
        _said(shell, "export", HANDLE, PHOTOS, "--formats=onnx")
    assert re.search(said, _said(shell, command, *words))


def test_what_cannot_be_pushed_is_one_line(hub, model):
    with pytest.raises(UsageError, match="Expected OWNER/NAME"):
        _push("flowers", model)
    with pytest.raises(UsageError, match="pass class_names"):
        _push("me/flowers", small_model())
    hub.gated.add("them/flowers")
    with pytest.raises(UsageError, match="hf://them/flowers") as caught:
        _push("them/flowers", model, dry_run=False)
    assert "\n" not in str(caught.value)
