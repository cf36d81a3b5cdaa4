"""Lesions, sums and landscapes, against closed forms."""

import keras
import numpy as np
import programs
import pytest

import keras_resnet

experiments = programs.module("reproduction.experiments")
gates = programs.module("reproduction.gates")
jobs = programs.module("reproduction.jobs")
landscape = programs.module("reproduction.landscape")
lesion = programs.module("reproduction.lesion")
sums = programs.module("reproduction.sums")

IMAGES = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), np.uint8)
LABELS = np.arange(9) % 10


def network(shortcut, units=2, **choices):
    """A pre-activated network. The F of its last unit is 0."""
    keras.utils.set_random_seed(0)
    model = keras_resnet.build(
        "resnet20",
        shortcut=shortcut,
        placement="full_preact",
        depths=(units,) * 2,
        filters=(16, 32),
        input_shape=(4, 4, 3),
        **choices,
    )
    last = model.get_layer(f"stage2_unit{units}").branch[-1]
    last.kernel.assign(np.zeros(last.kernel.shape))
    return model


@pytest.mark.parametrize("dataset", ["digits", "fashion_mnist"])
def test_gates_stand_beside_plain_and_residual_layers(tmp_path, dataset):
    asked = experiments.EXPERIMENTS["highway"]
    runs = jobs.make(
        "highway", asked, "quick", dataset=dataset, workdir=tmp_path
    )
    assert {job.row_name for job in runs} == set(asked.rows)


def test_what_does_nothing_can_be_taken_out_and_nothing_else():
    model = network("A")
    units = lesion.of_one_shape(model)
    # The first unit of stage 2 changes the shape.
    assert units == ["stage1_unit1", "stage1_unit2", "stage2_unit2"]
    whole = model(IMAGES, training=False)
    for name in units:
        same = np.allclose(lesion.without(model, IMAGES, {name}), whole)
        assert same == (name == "stage2_unit2")
    # In a plain network the last unit has an effect: it turns x into 0.
    plain = network("none")
    whole = plain(IMAGES, training=False)
    found = lesion.without(plain, IMAGES, {"stage2_unit2"})
    assert not np.allclose(found, whole)


@pytest.mark.parametrize(
    "shortcut, of_branch",
    [("exclusive_gating_bias_0", 0.25), ("shortcut_only_gating_bias_0", 1)],
)
def test_a_gate_that_reads_nothing_lets_the_same_part_through(
    shortcut, of_branch
):
    keras.utils.set_random_seed(0)
    model = keras_resnet.build(
        "resnet20",
        shortcut=shortcut,
        depths=(2,),
        filters=(16,),
        input_shape=(4, 4, 3),
    )
    before = gates.measure(model, IMAGES)
    assert before["open"][0] != pytest.approx(0.25, abs=0.01)  # it reads x
    for layer in model.layers:
        for conv in getattr(layer, "gate", ()):
            conv.kernel.assign(np.zeros(conv.kernel.shape))
            conv.bias.assign(np.full(conv.bias.shape, -np.log(3)))
    found = gates.measure(model, IMAGES)
    assert found["open"] == pytest.approx([0.25] * 2)
    assert found["branch"] == pytest.approx([of_branch] * 2)


def test_the_terms_of_a_sum_are_told_apart():
    behind = np.array([[3.0, 4.0]])
    # F's term at a right angle, of twice the norm; then one that cancels.
    before = behind + [[-8.0, 6.0]]
    found = sums.terms([before, behind])
    assert found["ratio"] == [2] and found["cosine"] == [0]
    assert found["through"] == [pytest.approx(5**0.5)]
    cancels = sums.terms([0 * behind, behind])
    assert cancels["cosine"] == [pytest.approx(-1)]
    assert cancels["through"] == [0]
    # Where the shape changes there is no such sum.
    assert sums.terms([np.ones((1, 3)), behind])["ratio"] == []


def test_what_reaches_a_unit_went_through_all_behind_it():
    assert sums.reaching([5.0, 0.5, 4.0]) == [10, 2, 4, 1]


@pytest.mark.parametrize("shortcut, value", [("A", 1.0), ("none", 0.0)])
def test_a_unit_without_f_has_the_jacobian_of_its_shortcut(shortcut, value):
    found = sums.singular_values(network(shortcut), IMAGES)
    assert list(found.values()) == pytest.approx([value] * 3, abs=1e-6)


def test_neighbours_on_a_line_of_no_length_are_alike():
    twice = np.repeat(IMAGES[:1], 2, axis=0)
    model = network("A")
    assert sums.likeness(model, twice, LABELS) == pytest.approx(1, abs=1e-4)
    assert sums.likeness(model, IMAGES, LABELS) < 0.999


def test_lanczos_finds_the_ends_of_a_spectrum():
    random = np.random.default_rng(0)
    matrix = random.normal(size=(60, 60))
    matrix += matrix.T
    ends = np.linalg.eigvalsh(matrix)[[0, -1]]
    start = random.normal(size=60)
    found = landscape.extremes(lambda vector: matrix @ vector, start, 60)
    assert found == pytest.approx(tuple(ends))
    few = landscape.extremes(lambda vector: matrix @ vector, start, 2)
    assert few != pytest.approx(tuple(ends), rel=0.01)


def test_a_direction_has_the_norm_of_each_filter_and_leaves_bn():
    random = np.random.default_rng(0)
    kernel = random.normal(size=(3, 3, 4, 5)) * np.arange(1, 6)
    moved, still = landscape.direction([kernel, np.ones(5)], random)
    norms = [np.sqrt(np.sum(x**2, (0, 1, 2))) for x in (kernel, moved)]
    np.testing.assert_allclose(*norms)
    assert not np.any(still) and not np.allclose(kernel, moved)


def test_a_hessian_product_is_symmetric_and_the_change_of_the_slope():
    model = network("A", units=1, dtype="float64")
    size = sum(np.prod(v.shape) for v in model.trainable_variables)
    one, other = np.random.default_rng(0).normal(size=(2, int(size)))
    # The classifier's weights alone: the loss has no kinks along them.
    kernel = model.get_layer("logits").kernel
    one[: -kernel.shape[0] * 10 - 10] = 0
    one[-10:] = 0
    products = [
        landscape.hessian_product(model, IMAGES, LABELS, vector)
        for vector in (one, other)
    ]
    assert other @ products[0] == pytest.approx(one @ products[1], rel=1e-9)
    before, losses = np.array(kernel), []
    part = one[-before.size - 10 : -10].reshape(before.shape)
    for step in (-1e-4, 0, 1e-4):
        kernel.assign(before + step * part)
        losses.append(float(landscape.loss(model, IMAGES, LABELS)))
    second = (losses[0] - 2 * losses[1] + losses[2]) / 1e-8
    assert one @ products[0] == pytest.approx(second, rel=1e-4)
