"""Repositories of the hub that the peers' own code has written.

A server on this machine has the hub's paths, and the hub's own library asks it.
"""

import io
import json
import sys

import numpy as np
import peers
import pytest
from hub_server import hub as hub_fixture
from huggingface_hub import constants
from small_weights import pixels

import keras_resnet
from keras_resnet import UsageError
from keras_resnet.inference import kinds
from keras_resnet.inference import opening
from keras_resnet.labels import class_names
from keras_resnet.weights import descriptions
from keras_resnet.weights import hub as hub_lib
from keras_resnet.weights import repositories

hub = hub_fixture
NAMES = ("daisy", "rose", "tulip", "rose", "iris")
APART = ("daisy", "rose (1)", "tulip", "rose (3)", "iris")
MEAN, STD = (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)
SIZES = {"depths": (1, 1, 1, 1), "filters": (64, 8, 16, 32)}


def _logits(net, images):
    return peers.torch_logits(net, images, MEAN, STD)


def timm(folder, images):
    module = peers.timm_module()
    net = module.create_model(
        "resnet50",
        num_classes=5,
        layers=SIZES["depths"],
        channels=SIZES["filters"],
    )
    peers.fill_torch(net)
    module.models.save_for_hf(
        net,
        folder,
        model_config={"label_names": NAMES},
        safe_serialization=True,
        data_config={
            "mean": [x / 255 for x in MEAN],
            "std": [x / 255 for x in STD],
            "input_size": (3, 32, 32),
            "crop_pct": 0.8,
        },
    )
    return _logits(net, images)


def transformers(folder, images):
    library = pytest.importorskip(
        "transformers", reason="needs transformers (peers extra)"
    )
    config = library.ResNetConfig(
        depths=SIZES["depths"],
        hidden_sizes=[4 * width for width in SIZES["filters"]],
        id2label=dict(enumerate(NAMES)),
    )
    net = library.ResNetForImageClassification(config)
    peers.fill_torch(net).save_pretrained(folder)
    # As microsoft/resnet-50 has it, with other numbers.
    processor = {
        "crop_pct": 0.8,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "image_mean": [x / 255 for x in MEAN],
        "image_std": [x / 255 for x in STD],
        "resample": 3,
        "size": 32,
    }
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(processor))

    class Net:
        def __call__(self, x):
            return net(x).logits

    return _logits(Net(), images)


def keras_hub(folder, images):
    models = peers.keras_hub_models()
    import keras_hub as library

    backbone = models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=list(SIZES["filters"]),
        stackwise_num_blocks=list(SIZES["depths"]),
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(None, None, 3),
    )
    converter = library.layers.ResNetImageConverter(
        image_size=(32, 32),
        scale=[1 / x for x in STD],
        offset=[-m / s for m, s in zip(MEAN, STD, strict=True)],
    )
    preprocessor = models.ResNetImageClassifierPreprocessor(converter)
    net = models.ResNetImageClassifier(
        backbone, num_classes=5, preprocessor=preprocessor
    )
    peers.fill_keras(net)
    net.save_to_preset(str(folder))
    return np.asarray(net(np.asarray((images - MEAN) / STD, "float32")))


# {writer: (names of the classes, size to resize to)}.
PEERS = {
    timm: (APART, 40),
    transformers: (APART, 40),
    keras_hub: (tuple(f"class_{i}" for i in range(5)), 32),
}


@pytest.fixture(scope="module")
def written(hub, tmp_path_factory):
    """The images, and (writer) -> (handle, logits), written once."""
    images, found = pixels(32), {}

    def write(peer):
        if peer not in found:
            folder = tmp_path_factory.mktemp(peer.__name__)
            logits = peer(folder, images)
            hub.add(f"peers/{peer.__name__}", folder)
            found[peer] = f"hf://peers/{peer.__name__}", logits
        return found[peer]

    return images, write


@pytest.mark.parametrize("peer", PEERS)
def test_a_peers_repository_opens_by_name_with_its_answers(peer, written):
    images, write = written
    handle, logits = write(peer)
    model = keras_resnet.load(handle)
    theirs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    ours = np.asarray(model(images))
    assert np.ptp(theirs) > 0.1
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    names, resize = PEERS[peer]
    card = model.card
    assert (card.class_names, card.eval_resize) == (names, resize)
    assert (card.image_size, card.variant) == (32, "resnet50_v1_5")
    constants = model.get_layer("pixels")
    np.testing.assert_allclose(constants.mean, MEAN, rtol=1e-5)
    np.testing.assert_allclose(constants.std, STD, rtol=1e-5)


@pytest.fixture
def flowers(hub, written):
    """The hub and the name of timm's repository; resets the hub afterwards."""
    written[1](timm)
    yield hub, "peers/timm"
    hub.gated.clear()
    hub.sent.clear()


def _cached(name, patch, folder):
    """Sets an empty cache and returns the handle of a repository."""
    patch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return f"hf://{name}"


def test_weights_go_wherever_weights_are_taken(flowers):
    _, name = flowers
    handle, variant = f"hf://{name}@v1", "resnet50_v1_5"
    model = keras_resnet.build(variant, weights=handle, **SIZES)
    assert model.output_shape == (None, 5)
    # The model's own size, and the repository's crop in proportion.
    assert (model.card.image_size, model.card.eval_resize) == (224, 280)
    other = keras_resnet.build(variant, classes=5, **SIZES)
    with pytest.raises(UsageError, match="under the prefix 'teacher'"):
        keras_resnet.load_weights(other, handle, prefix="teacher")
    keras_resnet.load_weights(other, handle)
    for ours, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, ours.path)
    assert other.card == model.card
    maps = keras_resnet.build(
        variant, weights=handle, include_top=False, **SIZES
    )
    new = keras_resnet.build(variant, weights=handle, classes=3, **SIZES)
    assert maps.card is None and new.card is None
    given = keras_resnet.build(
        variant, weights=handle, pixel_mean=(1, 2, 3), **SIZES
    )
    np.testing.assert_array_equal(given.get_layer("pixels").mean, (1, 2, 3))


def _bit(content):
    return content[:-1] + bytes([content[-1] ^ 1])


FILE = "model.safetensors"


@pytest.fixture(scope="module")
def model():
    return keras_resnet.build("resnet50_v1_5", classes=5, **SIZES)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sent": {FILE: _bit}}, f"{FILE} of .* has the digest .* hub says"),
        ({"sent": {"config.json": _bit}}, "config.json of .* has the digest"),
        ({"sent": {FILE: lambda c: c[: len(c) // 2]}}, "should be of size"),
        ({"gated": True}, "is gated: ask for access on its page"),
        ({"name": "peers/nobody"}, "There is no repository hf://peers/nobody"),
        ({"name": "peers/timm@v9"}, "no such revision"),
        ({"name": "timm"}, "Expected hf://OWNER/NAME"),
        ({"lacks": "config.json"}, "holds no config.json"),
        ({"lacks": FILE}, "holds no weights: none of model.safetensors"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_leaves_nothing(
    change, message, flowers, model, monkeypatch, tmp_path
):
    hub, name = flowers
    files = hub.repositories[name]
    for file, damage in change.get("sent", {}).items():
        hub.sent[file] = damage(files[file])
    hub.gated |= {name} if change.get("gated") else set()
    if "lacks" in change:
        others = {f: c for f, c in files.items() if f != change["lacks"]}
        monkeypatch.setitem(hub.repositories, name, others)
    handle = _cached(change.get("name", name), monkeypatch, tmp_path)
    before = [weight + 1 for weight in model.get_weights()]
    model.set_weights(before)
    with pytest.raises(UsageError, match=message) as caught:
        keras_resnet.load_weights(model, handle)
    assert "\n" not in str(caught.value)
    for ours, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, old)
    damaged = change.get("sent", {})
    left = [p for p in tmp_path.rglob("*") if p.name in damaged]
    assert not left and not list(tmp_path.rglob("*.incomplete"))
    # Once the server sends the right bytes, the same call works.
    if damaged:
        hub.sent.clear()
        keras_resnet.load_weights(model, handle)


def test_offline_the_cache_serves_and_without_it_one_line_says_so(
    flowers, monkeypatch, tmp_path
):
    hub, name = flowers
    handle = _cached(name, monkeypatch, tmp_path)
    online = repositories.describe(handle).path
    asked = len(hub.asked)
    assert repositories.describe(handle).path == online
    newest = ("HEAD", f"/{name}/resolve/main/config.json")
    assert hub.asked[asked:] == [newest]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.asked)
    assert repositories.describe(handle).path == online
    assert len(hub.asked) == asked
    blob = online.resolve()
    content = blob.read_bytes()
    blob.write_bytes(_bit(content))  # the disk flips a bit
    with pytest.raises(UsageError, match="has the digest"):
        repositories.describe(handle).path
    with pytest.raises(UsageError, match="HF_HUB_OFFLINE"):
        repositories.describe(handle).path


def test_without_a_network_one_line_says_so(
    flowers, monkeypatch, tmp_path, capfd
):
    """`huggingface_hub` alone takes five lines and half a minute."""
    _, name = flowers
    nowhere = "http://127.0.0.1:9"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    theirs = template.removeprefix(constants.ENDPOINT)
    monkeypatch.setattr(constants, "ENDPOINT", nowhere)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", nowhere + theirs
    )
    repositories.describe(f"hf://{name}")  # from the cache
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    capfd.readouterr()
    with pytest.raises(UsageError, match=f"Cannot reach {nowhere}") as caught:
        repositories.describe(f"hf://{name}")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "variant, field",
    [("resnet50", "block"), ("resnet101_v1_5", "depths"), ("resnet18", "b")],
)
def test_another_variant_is_refused_before_the_weights_are_asked_for(
    variant, field, flowers
):
    hub, name = flowers
    asked = len(hub.asked)
    with pytest.raises(UsageError, match=f"{field}.*build.'resnet50_v1_5'"):
        keras_resnet.build(variant, weights=f"hf://{name}")
    assert not [path for _, path in hub.asked[asked:] if FILE in path]


def test_a_pickle_is_asked_for_where_there_is_nothing_else(
    flowers, monkeypatch
):
    hub, name = flowers
    torch = peers.torch_module()
    from safetensors import torch as files

    tensors = files.load(hub.repositories[name][FILE])
    others = dict(hub.repositories[name])
    del others[FILE]
    stream = io.BytesIO()
    torch.save(tensors, stream)
    others["pytorch_model.bin"] = stream.getvalue()
    monkeypatch.setitem(hub.repositories, "peers/old", others)
    old, new = (keras_resnet.load(f"hf://{n}") for n in ("peers/old", name))
    for ours, theirs in zip(old.weights, new.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model_args": {"aa_layer": "blurpool"}}, "aa_layer.*no network of"),
        ({"model_args": {"global_pool": "max"}}, "'global_pool': 'max'"),
        ({"architecture": "seresnet50"}, "seresnet50.*none of this"),
        ({"architecture": 7}, "is damaged"),
        ({"num_classes": 10**12}, "1000000000000 classes are not"),
        ({"model_args": {"layers": [10**9] * 4}}, "units are not"),
        ({"pretrained_cfg": {}}, "is damaged: KeyError"),
    ],
)
def test_a_network_that_is_not_ours_is_refused(
    change, message, flowers, monkeypatch
):
    hub, name = flowers
    files = hub.repositories[name]
    config = json.loads(files["config.json"]) | change
    others = {**files, "config.json": json.dumps(config).encode()}
    monkeypatch.setitem(hub.repositories, "peers/odd", others)
    with pytest.raises(UsageError, match=message):
        keras_resnet.load("hf://peers/odd")


def test_names_of_timm_and_of_this_library_are_one_to_one():
    for theirs, ours in {
        "resnet18": "resnet18",
        "resnet50": "resnet50_v1_5",
        "resnetv2_101": "resnet101_v2_timm",
        "resnet50d": "resnet50_d",
        "wide_resnet50_2": "wide_resnet50_2",
    }.items():
        assert descriptions.timm_variant(theirs) == ours
        assert descriptions.timm_architecture(ours) == theirs
    for ours in ("resnet50", "plainnet34", "resnet20"):
        assert descriptions.timm_architecture(ours) is None
    assert class_names.told_apart(NAMES) == APART


def test_a_handle_is_a_model_for_words_and_commands(flowers, tmp_path):
    _, name = flowers
    handle = f"hf://{name}"
    assert opening.path_of(handle) == handle
    picture = np.full((50, 40, 3), 90, "uint8")
    (found,) = keras_resnet.predict(handle, [picture])
    assert found.top[0][0] in APART
    with pytest.raises(UsageError, match="needs a file on this machine"):
        kinds.recognise(handle)


@pytest.mark.large
def test_a_handle_is_exported(flowers, tmp_path):
    _, name = flowers
    made = keras_resnet.export(
        f"hf://{name}", tmp_path / "out", formats=["tflite_float32"]
    )
    assert len(made) == 1
    labels = (tmp_path / "out" / "labels.txt").read_text().splitlines()
    assert tuple(labels) == APART


KAGGLE = "kaggle://keras/resnetv1/keras/tiny/3"


def test_kaggle_needs_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(UsageError, match="pip install kagglehub"):
        keras_resnet.load(KAGGLE)


def test_a_preset_of_kaggle_is_read_from_its_librarys_cache(
    written, hub, monkeypatch, tmp_path
):
    pytest.importorskip("kagglehub", reason="needs kagglehub (peers extra)")
    handle, _ = written[1](keras_hub)
    folder = tmp_path / "models/keras/resnetv1/keras/tiny/3"
    folder.mkdir(parents=True)
    for name, content in hub.repositories["peers/keras_hub"].items():
        (folder / name).write_bytes(content)
        mark = folder.parent / ".complete" / "3" / f"{name}.complete"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    files = hub_lib.opened(KAGGLE)
    assert json.loads(files.file("config.json").read_bytes())
    ours, theirs = (keras_resnet.load(h) for h in (KAGGLE, handle))
    for a, b in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(a, b)
