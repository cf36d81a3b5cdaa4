"""Mixing against torchvision's, and that no division of a batch changes it."""

import dataclasses

import numpy as np
import peers
import pytest

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.training import mixing

RECIPE = recipes.load("digits", {"mixup_alpha": 0.2, "cutmix_alpha": 1.0})
CLASSES = 5


def _batch(size=16):
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(256, size=(size, 6, 8, 3)).astype(np.uint8),
        "label": rng.integers(CLASSES, size=size).astype(np.int32),
    }


def _mixed(batch, numbers, group):
    mixed = mixing.mix(batch, np.array(numbers, np.float32), group)
    return {key: np.asarray(value) for key, value in mixed.items()}


def _targets(mixed):
    share = mixed["share"][:, None]
    one, other = (np.eye(CLASSES)[mixed[k]] for k in ("label", "other"))
    return share * one + (1 - share) * other


@pytest.mark.parametrize("stays", [0.1, 0.7])
@pytest.mark.parametrize("cuts", [0, 1])
@pytest.mark.parametrize("middle", [(0.5, 0.5), (0.05, 0.9)])
def test_two_images_are_mixed_as_torchvision_mixes_them(cuts, stays, middle):
    torch = peers.torch_module()
    peers.torchvision_models()
    v2 = pytest.importorskip("torchvision.transforms.v2")
    batch, (down, across) = _batch(2), middle
    theirs = (v2.CutMix if cuts else v2.MixUp)(num_classes=CLASSES)
    # torchvision draws the part, then the rectangle's middle.
    theirs._dist = torch.distributions.Uniform(stays, stays, False)
    images = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2).float()
    label = torch.from_numpy(batch["label"]).long()
    middles = iter([int(across * 8), int(down * 6)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            torch, "randint", lambda *_, **__: torch.tensor([next(middles)])
        )
        images, target = theirs(images, label)
    ours = _mixed(batch, (cuts, stays, down, across), 2)
    expected = images.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(ours["image"], expected, atol=1e-4)
    np.testing.assert_allclose(_targets(ours), target.numpy(), atol=1e-6)
    assert np.all(ours["share"] >= 0.5)
    assert np.abs(ours["image"] - batch["image"]).max() > 1


def test_parts_of_a_batch_are_mixed_as_the_whole():
    batch, numbers = _batch(16), mixing.draw(RECIPE, 3)
    whole = _mixed(batch, numbers, 4)
    for size in (4, 8):
        parts = [
            _mixed({k: v[i : i + size] for k, v in batch.items()}, numbers, 4)
            for i in range(0, 16, size)
        ]
        for key, value in whole.items():
            found = np.concatenate([part[key] for part in parts])
            np.testing.assert_array_equal(found, value, key)
    # Negative control: groups of another size mix other images.
    other = _mixed(batch, numbers, 8)
    assert np.abs(other["image"] - whole["image"]).max() > 1


@pytest.mark.parametrize("parts, refused", [(1, False), (8, False), (16, True)])
def test_parts_that_part_partners_are_refused(parts, refused):
    if refused:
        with pytest.raises(errors.UsageError, match="8 images in a row"):
            mixing.check(RECIPE, parts)
    else:
        mixing.check(RECIPE, parts)
    mixing.check(recipes.RECIPES["digits"], parts)


def test_an_image_that_could_not_be_read_is_in_no_other():
    batch = {**_batch(4), "weight": np.array([1, 1, 1, 0], "f")}
    mixed = _mixed(batch, (0, 0.25, 0, 0), 4)
    np.testing.assert_array_equal(mixed["image"][0], batch["image"][0])
    assert mixed["share"].tolist() == [1, 0.75, 0.75, 0.75]
    assert mixed["label"][0] == batch["label"][0]


def test_many_labels_are_mixed_too():
    labels = np.eye(3, dtype=np.uint8)[[0, 1]]
    mixed = _mixed({**_batch(2), "label": labels}, (0, 0.25, 0, 0), 2)
    np.testing.assert_array_equal(mixed["label"], labels[::-1])
    np.testing.assert_array_equal(mixed["other"], labels)


def test_draws_are_each_steps_own_and_beta():
    draws = mixing.draws(RECIPE, 0, 600)
    np.testing.assert_array_equal(draws[7], mixing.draw(RECIPE, 7))
    assert len(np.unique(draws[:, 1])) > 590
    other = mixing.draw(dataclasses.replace(RECIPE, seed=1), 7)
    assert not np.array_equal(other, draws[7])
    cuts = draws[:, 0] == 1
    assert 0.45 < cuts.mean() < 0.55
    for chosen, alpha in ((cuts, 1.0), (~cuts, 0.2)):
        stays = draws[chosen, 1]
        assert abs(stays.mean() - 0.5) < 0.06
        assert abs(stays.var() - 1 / (4 * (2 * alpha + 1))) < 0.03


@pytest.mark.parametrize(
    "field, cuts", [("mixup_alpha", 0), ("cutmix_alpha", 1)]
)
def test_one_of_the_two_is_all_of_it(field, cuts):
    recipe = recipes.load("digits", {field: 1.0})
    assert set(mixing.draws(recipe, 0, 20)[:, 0]) == {cuts}
    assert mixing.draws(recipes.RECIPES["digits"], 0, 20) is None
