"""The order of examples: permutations that can be computed at any step."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from keras_resnet import errors
from keras_resnet import recipes
from keras_resnet.data import datasets
from keras_resnet.data.examples import order
from keras_resnet.data.examples import splits

# Runs of unequal length: the last block of each file is short.
SIZES = np.array(([70] * 13 + [31]) * 8)
N = int(SIZES.sum())


def _recipe(**changes):
    return dataclasses.replace(recipes.RECIPES["digits"], **changes)


def _split(sizes=SIZES):
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return splits.Split(
        name="blocks/train",
        class_names=("a",),
        num_examples=int(starts[-1]),
        read=None,
        describe=str,
        blocks=splits.Blocks(starts=starts, reader=None),
    )


def _indices(split, recipe, steps):
    return np.concatenate(
        [order.positions(split, recipe, step)[0] for step in steps]
    )


def _epochs(split, recipe, number):
    n = split.num_examples
    steps = range(-(-number * n // recipe.batch_size))
    return _indices(split, recipe, steps)[: number * n].reshape(number, n)


@pytest.mark.parametrize("shuffle", recipes.SHUFFLES)
def test_random_stores_and_recipes_permute_seek_and_do_not_depend_on_batches(
    shuffle,
):
    random = np.random.default_rng(0)
    for _ in range(30):
        split = _split(random.integers(1, 9, random.integers(1, 40)))
        batch_size, parts = random.integers(1, 50), random.integers(1, 6)
        recipe = _recipe(
            shuffle=shuffle,
            seed=int(random.integers(1 << 30)),
            batch_size=int(batch_size * parts),
            shuffle_blocks=int(random.integers(1, 12)),
        )
        small = dataclasses.replace(recipe, batch_size=int(batch_size))
        epochs = _epochs(split, recipe, 2)
        every = np.arange(split.num_examples)
        for epoch in np.sort(epochs):
            np.testing.assert_array_equal(epoch, every)
        # Ask for a step without the steps before it, as a resumed run does.
        step = int(random.integers(1, 1_000))
        order._permutation.cache_clear()
        order._block_permutation.cache_clear()
        there = order.positions(split, recipe, step)
        # The order is one sequence, however it is cut into batches.
        steps = range(step * parts, (step + 1) * parts)
        cut = [order.positions(split, small, s) for s in steps]
        for whole_batch, pieces in zip(there, zip(*cut, strict=True)):
            np.testing.assert_array_equal(whole_batch, np.concatenate(pieces))


@pytest.mark.parametrize("shuffle", recipes.SHUFFLES)
def test_epochs_differ(shuffle):
    recipe = _recipe(shuffle=shuffle, batch_size=N + 5, shuffle_blocks=5)
    orders = [np.arange(N), *_epochs(_split(), recipe, 3)]
    for a, b in itertools.combinations(orders, 2):
        # Two independent permutations agree at one place, on average.
        assert np.sum(a == b) < 12


def test_examples_are_not_correlated_with_their_neighbours():
    recipe = _recipe(batch_size=100_000)
    indices, _ = order.positions(100_000, recipe, step=0)
    correlation = np.corrcoef(indices[:-1], indices[1:])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(100_000)


def test_the_uniform_shuffle_reaches_all_permutations_equally():
    counts = {}
    for seed in range(2_400):
        indices, _ = order.positions(4, _recipe(seed=seed, batch_size=4), 0)
        counts[tuple(indices)] = counts.get(tuple(indices), 0) + 1
    expected = 2_400 / math.factorial(4)
    chi2 = sum((n - expected) ** 2 / expected for n in counts.values())
    assert len(counts) == 24
    assert chi2 < 49.7  # chi-squared, 23 degrees of freedom, p = 0.001


def _block_of(indices):
    starts = np.concatenate([[0], np.cumsum(SIZES)])
    return np.searchsorted(starts, indices, side="right") - 1


@pytest.mark.parametrize("mixed", [1, 4, 16])
def test_a_block_stays_within_its_window_and_windows_move(mixed):
    recipe = _recipe(shuffle="blocks", shuffle_blocks=mixed, batch_size=64)
    first, second = _epochs(_split(), recipe, 2)
    blocks = _block_of(first)
    spans = [np.ptp(np.flatnonzero(blocks == b)) for b in range(len(SIZES))]
    assert max(spans) < mixed * SIZES.max()
    # An example can come anywhere in an epoch, independently of the last one.
    places = np.argsort(first), np.argsort(second)
    of_blocks = [
        [np.mean(place[_block_of(np.arange(N)) == b]) for place in places]
        for b in range(len(SIZES))
    ]
    moved = np.abs(np.diff(of_blocks, axis=1))
    assert np.mean(moved) > N / 5  # two uniform places: N / 3
    # Negative control: the uniform shuffle keeps no block together.
    uniform = _block_of(_epochs(_split(), _recipe(), 1)[0])
    spread = [np.ptp(np.flatnonzero(uniform == b)) for b in range(len(SIZES))]
    assert np.mean(spread) > 0.9 * N


def test_all_blocks_in_one_window_are_the_uniform_shuffle():
    recipe = _recipe(shuffle_blocks=len(SIZES), batch_size=N)
    blocks = dataclasses.replace(recipe, shuffle="blocks")
    np.testing.assert_array_equal(
        order.positions(_split(), recipe, 3)[0],
        order.positions(_split(), blocks, 3)[0],
    )


@pytest.mark.parametrize("mixed", [4, 16])
def test_within_a_window_the_order_is_uniform(mixed):
    recipe = _recipe(shuffle="blocks", shuffle_blocks=mixed, batch_size=64)
    correlations = []
    for seed in range(20):
        recipe = dataclasses.replace(recipe, seed=seed)
        blocks = _block_of(_epochs(_split(), recipe, 1)[0])
        names = dict.fromkeys(blocks)
        window = [b in list(names)[:mixed] for b in blocks]
        inside = blocks[window]
        correlations.append(np.mean(inside[1:] == inside[:-1]))
    # Neighbours are of one block with a probability of nearly 1 / W.
    assert np.mean(correlations) == pytest.approx(1 / mixed, rel=0.1)


@pytest.mark.parametrize("mixed", [4, 16])
def test_a_batch_mixes_as_many_classes_of_a_sorted_store_as_promised(mixed):
    # 1,000 classes of one block each: the worst case, sorted by class.
    sizes = np.full(1_000, 73)  # 8 MB of ImageNet
    recipe = _recipe(shuffle="blocks", shuffle_blocks=mixed, batch_size=256)
    split = _split(sizes)
    batches = _epochs(split, recipe, 1)[0][: 256 * 285].reshape(285, 256) // 73
    classes = [len(np.unique(batch)) for batch in batches]
    shares = [np.bincount(batch).max() / 256 for batch in batches]
    assert mixed <= np.mean(classes) <= 2 * mixed
    assert max(classes) <= 2 * mixed
    assert 1 / (2 * mixed) <= np.mean(shares) <= 2 / mixed
    uniform = _epochs(split, _recipe(batch_size=256), 1)[0][: 256 * 285] // 73
    assert np.mean([len(np.unique(b)) for b in uniform.reshape(285, 256)]) > 220


def test_every_example_of_every_epoch_has_its_own_seed():
    recipe = _recipe(batch_size=1438)
    seeds = np.concatenate(
        [order.positions(1438, recipe, step)[1] for step in range(20)]
    )
    assert seeds.dtype == np.int64
    assert len(set(seeds)) == 20 * 1438
    bits = seeds.view(np.uint8).reshape(-1, 8)
    ones = np.unpackbits(bits, axis=1).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(len(seeds))


@pytest.mark.parametrize("times, batch_size", [(2, 12), (3, 12), (3, 11)])
def test_an_image_comes_several_times_in_a_batch_each_time_by_another_seed(
    times, batch_size
):
    """The epochs are those of DeiT's, torchvision's and timm's RASampler.

    Each permutation gives its repetitions in a row, up to N of them.
    """
    recipe = _recipe(batch_size=batch_size, repeated_augmentation=times)
    steps = range(-(-2 * 100 // batch_size))
    batches = [order.positions(100, recipe, step) for step in steps]
    whole = _recipe(batch_size=100)
    orders = [order.positions(100, whole, epoch)[0] for epoch in (0, 1)]
    row = np.concatenate([np.repeat(o, times)[:100] for o in orders])
    for step, (indices, _) in enumerate(batches):
        want = row[step * batch_size : (step + 1) * batch_size]
        assert sorted(indices)[: len(want)] == sorted(want) or step == steps[-1]
        # Within each of `times` equal parts of a batch all images differ.
        if batch_size % times == 0 and step < 100 // batch_size:
            parts = np.split(indices, times)
            assert all(len(set(part)) == len(part) for part in parts)
            assert {*parts[0]} == {*parts[-1]}
    seeds = np.concatenate([seeds for _, seeds in batches])
    assert len(set(seeds)) == len(seeds)
    # The first repetition has the seed that the image has without repetitions.
    alone = dict(zip(*order.positions(100, whole, 0)))
    indices, seeds = batches[0]
    assert seeds[0] == alone[indices[0]] and seeds[-1] != alone[indices[-1]]


def test_the_seed_of_an_example_does_not_depend_on_the_shuffle():
    recipe = _recipe(batch_size=N)
    blocks = dataclasses.replace(recipe, shuffle="blocks")
    found = [
        dict(zip(*order.positions(_split(), r, 2))) for r in (recipe, blocks)
    ]
    assert found[0] == found[1]


def test_blocks_of_a_store_without_blocks_are_refused():
    recipe = _recipe(shuffle="blocks")
    split = datasets.load("digits", "train")
    for ask in (order.arranged, lambda *args: order.positions(*args, 0)):
        with pytest.raises(errors.UsageError, match="Take --shuffle=examples"):
            ask(split, recipe)


def test_only_as_many_permutations_as_a_batch_needs_are_kept():
    recipe = _recipe(batch_size=1438)
    for step in range(9):
        order.positions(1438, recipe, step)
    assert order._permutation.cache_info().currsize == 2
