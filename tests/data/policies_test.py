"""Policies and erasing against torchvision's and timm's, on the same draws."""

import dataclasses
import itertools

import numpy as np
import peers
import pytest
import tensorflow as tf
from photographs import photograph

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data.pixels import augmentations
from keras_resnet.data.pixels import erasing
from keras_resnet.data.pixels import operations
from keras_resnet.data.pixels import policies
from keras_resnet.data.pixels import randomness
from keras_resnet.data.pixels import training_views
from keras_resnet.recipes import checks

FILL = (123.7, 116.3, 103.5)
SIDE = 40
RECIPE = recipes.Recipe(
    augmentation="area_crop",
    image_size=SIDE,
    eval_resize=SIDE,
    policy_interpolation="bilinear",
)


def _recipe(policy, **changes):
    return dataclasses.replace(RECIPE, policy=policy, **changes)


def _picture():
    return photograph("china.jpg", SIDE, SIDE)


def _in_the_middle(place, number):
    """A uniform number that chooses `place` of `number` places."""
    return (place + 0.5) / number


def _transforms():
    peers.torchvision_models()
    from torchvision.transforms import v2

    return v2


def _torchvisions(transform, pixels, steps):
    """What torchvision's function makes of [(name, magnitude)], uint8."""
    tensor = peers.torch_module().from_numpy(pixels.transpose(2, 0, 1).copy())
    for name, magnitude in steps:
        tensor = transform._apply_image_or_video_transform(
            tensor, name, magnitude, transform.interpolation, transform._fill
        )
    return tensor.numpy().transpose(1, 2, 0)


def _applied(recipe):
    graph = tf.function(
        lambda pixels, draws: policies.apply(pixels, draws, recipe, FILL)
    )
    return lambda pixels, draws: graph(
        tf.constant(pixels), tf.constant(draws, tf.float32)
    ).numpy()


def _choosing(policy, recipe):
    """A policy's `choose` as a graph, which takes a tenth of the time."""
    return tf.function(
        lambda draws: policies.policy(policy).choose(draws, recipe, SIDE)
    )


def _magnitude(space, name, bins, place, negative):
    values = space[name][0](bins, SIDE, SIDE)
    if values is None:
        return 0.0
    sign = -1 if negative and space[name][1] else 1
    return sign * float(values[place])


def test_trivial_augment_is_torchvisions_at_every_strength():
    """Parameters are compared at every strength, pixels at some."""
    transform = _transforms().TrivialAugmentWide(interpolation="bilinear")
    space = transform._AUGMENTATION_SPACE
    ours, pixels = _applied(_recipe("trivial_augment")), _picture()
    choose = _choosing("trivial_augment", RECIPE)
    for kind, name in enumerate(space):
        for strength, negative in itertools.product(range(31), (0, 1)):
            magnitude = _magnitude(space, name, 31, strength, negative)
            draws = [
                _in_the_middle(kind, len(space)),
                _in_the_middle(strength, 31),
                _in_the_middle(negative, 2),
            ]
            place, parameter = choose(tf.constant(draws, tf.float32))
            assert int(place[0]) == operations.OPERATIONS[_our_name(name)]
            expected = _PARAMETERS.get(name, float)(magnitude)
            assert float(parameter[0]) == pytest.approx(expected, abs=2e-5)
            if strength in (1, 15, 30):
                steps = [(name, magnitude)]
                expected = _torchvisions(transform, pixels, steps)
                apart = ours(pixels, draws).astype(int) - expected
                assert np.abs(apart).max() <= 1


# {name: torchvision's magnitude to our parameter}, where they differ.
_PARAMETERS = {
    **dict.fromkeys(
        ("Brightness", "Color", "Contrast", "Sharpness"), lambda m: 1 + m
    ),
    **dict.fromkeys(("TranslateX", "TranslateY", "Posterize"), int),
    "Solarize": lambda m: 255 * m,
}


def _our_name(name):
    """Our name of an operation of torchvision's or timm's."""
    name = name.replace("Increasing", "").replace("Rel", "")
    known = {"AutoContrast": "autocontrast", "SolarizeAdd": "solarize_add"}
    ours = name.replace("X", "_x").replace("Y", "_y").lower()
    return known.get(name, ours)


def test_auto_augment_is_torchvisions_for_every_pair():
    transform = _transforms().AutoAugment(interpolation="bilinear")
    space, ours = (
        transform._AUGMENTATION_SPACE,
        _applied(_recipe("auto_augment")),
    )
    pixels = _picture()
    choices = itertools.product(range(25), ((0.1, 0.9), (0.3, 0.3)))
    for kind, chances in choices:
        negative = kind % 2
        steps = [
            (name, _magnitude(space, name, 10, place, negative))
            for (name, p, place), chance in zip(
                transform._policies[kind], chances, strict=True
            )
            if chance <= p
        ]
        signs = [_in_the_middle(negative, 2)] * 2
        draws = [_in_the_middle(kind, 25), *chances, *signs]
        expected = _torchvisions(transform, pixels, steps)
        apart = np.abs(ours(pixels, draws).astype(int) - expected)
        # Equalising after another operation widens the difference it left.
        assert np.mean(apart > 2) < 0.02, (kind, steps)


@pytest.mark.parametrize("increasing", [True, False])
def test_rand_augment_asks_what_timm_asks(monkeypatch, increasing):
    """Compares the arguments of 15 operations at strengths of both signs."""
    peers.timm_module()
    from timm.data import auto_augment as timm

    hparams = {"img_mean": (124, 116, 104)}
    made = timm.rand_augment_transform(
        f"rand-m7-mstd0.5-inc{int(increasing)}", hparams
    )
    recipe = _recipe(
        "rand_augment",
        policy_magnitude=7.0,
        policy_increasing=increasing,
        policy_layers=1,
    )
    names = {place: name for name, place in operations.OPERATIONS.items()}
    choose = _choosing("rand_augment", recipe)
    for strength, chance, sign in itertools.product(
        (0.03, 0.7, 1 - 1e-7), (0.4, 0.6), (0.2, 0.8)
    ):
        deviation = float(randomness.normal(tf.constant(strength)))
        for kind, operation in enumerate(made.ops):
            draws = [_in_the_middle(kind, 15), chance, strength, sign]
            places, parameters = choose(tf.constant(draws, tf.float32))
            drawn = _Drawn([chance, sign], deviation)
            monkeypatch.setattr(timm, "random", drawn)
            asked = _asked_of(operation, monkeypatch)
            name = names[int(places[0])]
            assert name == (asked[0] if asked else "identity")
            if asked and asked[1] is not None:
                assert float(parameters[0]) == pytest.approx(asked[1], 1e-6)


class _Drawn:
    """Stands in for `random` and returns given numbers."""

    def __init__(self, uniform, deviation):
        self.uniform, self.deviation = iter(uniform), deviation

    def random(self):
        return next(self.uniform)

    def gauss(self, mean, deviation):
        return mean + deviation * self.deviation


def _asked_of(operation, monkeypatch):
    """(our name, our parameter) of what timm would do, or None."""
    asked = []
    monkeypatch.setattr(
        operation, "aug_fn", lambda image, *args, **_: asked.append(args)
    )
    operation(None)
    if not asked:
        return None
    name = _our_name(operation.name)
    parameter = asked[0][0] if asked[0] else None
    # timm's is a share of the side and says where a pixel comes from
    return name, -SIDE * parameter if "translate" in name else parameter


def test_layers_follow_each_other_and_each_is_drawn():
    recipe = _recipe("rand_augment", policy_layers=3)
    ours, pixels = _applied(recipe), _picture()
    invert, strong = _in_the_middle(2, 15), 0.5
    # Two of the three layers invert; one is left out.
    draws = [[invert] * 3, [0.1, 0.9, 0.1], [strong] * 3, [strong] * 3]
    np.testing.assert_array_equal(ours(pixels, np.ravel(draws)), pixels)
    draws[1] = [0.1, 0.1, 0.1]
    np.testing.assert_array_equal(ours(pixels, np.ravel(draws)), 255 - pixels)


@pytest.mark.parametrize(
    "policy, color", [("trivial_augment", (0, 0, 0)), ("rand_augment", None)]
)
def test_what_leaves_is_black_as_torchvisions_or_the_mean_as_timms(
    policy, color
):
    recipe = _recipe(policy, policy_layers=1, policy_interpolation="nearest")
    draws = {
        "trivial_augment": [_in_the_middle(3, 14), 0.999, 0.2],
        "rand_augment": [_in_the_middle(13, 15), 0.1, 0.999, 0.8],
    }
    moved = _applied(recipe)(_picture(), draws[policy])
    assert tuple(moved[0, 0]) == (color or (124, 116, 104))


def test_the_rectangle_is_torchvisions_on_the_same_numbers(monkeypatch):
    transform, torch = _transforms().RandomErasing(p=1), peers.torch_module()
    image = torch.zeros((3, SIDE, SIDE))
    box = tf.function(lambda draws: erasing.box(SIDE, draws))
    fallbacks = 0
    for draws in randomness.uniform(tf.range(100, dtype=tf.int64), 22).numpy():
        # In some draws the first attempts do not fit.
        if draws[21] < 0.3:
            draws[:4], draws[10:14] = 0.99, (0.01, 0.99, 0.01, 0.99)
        numbers = iter([*np.ravel([draws[:10], draws[10:20]], "F")])
        place = iter(draws[20:])
        with monkeypatch.context() as patch:
            patch.setattr(torch, "empty", lambda _: _Uniform(torch, numbers))
            patch.setattr(
                torch,
                "randint",
                lambda low, high, size: torch.tensor(int(next(place) * high)),
            )
            theirs = transform.make_params([image])
        found = box(tf.constant(draws)).numpy()
        assert theirs["v"] is not None
        assert tuple(found) == tuple(theirs[key] for key in "ijhw")
        fallbacks += draws[21] < 0.3
    assert fallbacks > 15


class _Uniform:
    """Stands in for an empty tensor that torchvision fills."""

    def __init__(self, torch, numbers):
        self.torch, self.numbers = torch, numbers

    def uniform_(self, low, high):
        return self.torch.tensor([low + (high - low) * next(self.numbers)])


def test_erasing_is_of_the_mean_colour_and_by_its_probability():
    """Once the network subtracts its mean, at most half a level is left."""
    pixels = tf.constant(_picture())
    draws = randomness.uniform(tf.range(400, dtype=tf.int64), erasing.DRAWS)
    graph = tf.function(lambda d: erasing.apply(pixels, d, 0.25, FILL))
    erased = np.stack([graph(one) for one in draws])
    changed = (erased != pixels.numpy()).any((1, 2, 3))
    np.testing.assert_array_equal(changed, draws[:, 0] < 0.25)
    assert 65 < changed.sum() < 135  # 4 standard deviations
    pairs = zip(erased[changed], draws[changed], strict=True)
    for image, one in itertools.islice(pairs, 20):
        top, left, height, width = erasing.box(SIDE, one[1:]).numpy()
        expected = pixels.numpy().copy()
        expected[top : top + height, left : left + width] = (124, 116, 104)
        np.testing.assert_array_equal(image, expected)


def test_no_rectangle_where_none_fits():
    draws = np.full(22, 0.99, np.float32)
    assert tuple(erasing.box(SIDE, tf.constant(draws))[2:]) == (0, 0)


@pytest.mark.parametrize("policy", policies.POLICIES)
def test_a_view_is_pure_and_its_crop_is_that_without_a_policy(policy):
    image = tf.constant(photograph("flower.jpg", 90, 70))
    plain, recipe = _recipe(""), _recipe(policy, erasing=0.5)
    graph = tf.function(
        lambda seed: training_views.augment(image, seed, recipe, FILL)
    )
    changed = 0
    for seed in tf.range(5, dtype=tf.int64):
        draws = training_views.draw(seed, recipe)
        found = graph(seed)
        assert found.shape == (SIDE, SIDE, 3)
        crop = training_views.augment(image, seed, plain, FILL)
        treated = policies.apply(crop, draws["policy"], recipe, FILL)
        treated = erasing.apply(treated, draws["erasing"], 0.5, FILL)
        np.testing.assert_array_equal(treated, found)
        changed += not np.array_equal(crop, found)
    assert changed > 2


def test_a_recipe_knows_the_policies_there_are():
    assert checks.POLICIES.keys() == policies.POLICIES.keys()
    for fields, message in (
        ({"policy": "randaugment"}, "Did you mean 'rand_augment'"),
        ({"policy_magnitude": 11.0}, "policy_magnitude must be in"),
        ({"policy_layers": 0}, "policy_layers must be > 0"),
        ({"erasing": 1.1}, "erasing must be in"),
        ({"policy_interpolation": "cubic"}, "Known: nearest, bilinear"),
    ):
        with pytest.raises(errors.UsageError, match=message):
            dataclasses.replace(RECIPE, **fields)
    with pytest.raises(errors.UsageError, match="'policy' are a recipe's"):
        augmentations.register("mine", about="", draws={"policy": 4})
