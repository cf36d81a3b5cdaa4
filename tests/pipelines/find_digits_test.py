"""Scenes of digits, how well they are read, and the experiment on both."""

import dataclasses
import json

import keras
import numpy as np
import programs
import pytest

from keras_resnet.errors import UsageError
from keras_resnet.networks import specs

backbone = programs.module("reproduction.backbone")
spreads = programs.module("reproduction.spreads")
jobs = programs.module("reproduction.jobs")
rows = programs.module("reproduction.backbone_rows")

pytestmark = pytest.mark.skipif(
    not backbone.EXAMPLES.is_dir(), reason="docs/ is not beside the tests"
)


@pytest.fixture(scope="module")
def examples():
    """{name: module} of the examples and of what they share."""
    names = ("scenes", "scores", "training")
    shared = {name: backbone.example(f"digit_{name}") for name in names}
    return shared | {t: backbone.example(m) for t, m in rows.TASKS.items()}


@pytest.fixture(scope="module")
def scenes(examples):
    module = examples["scenes"]
    return module.make(*module.digits("validation"), number=60, seed=3)


def test_a_box_is_the_extent_of_its_mask_and_boxes_share_no_ink(scenes):
    numbers = set()
    for boxes, labels, mask in zip(
        scenes.boxes, scenes.labels, scenes.masks, strict=True
    ):
        numbers.add(len(boxes))
        rest = mask.copy()
        for (left, top, right, bottom), label in zip(
            boxes.astype(int), labels, strict=True
        ):
            inside = np.s_[top:bottom, left:right]
            ink = mask[inside] == label + 1
            for axis in (0, 1):
                edges = ink.any(axis)
                assert edges[0] and edges[-1]
            rest[inside] = np.where(ink, 0, rest[inside])
        assert not rest.any()
    assert numbers == {1, 2, 3, 4}


def test_scenes_repeat_with_a_seed_and_differ_with_another(examples):
    module = examples["scenes"]
    digits = module.digits("validation")
    first, again, other = (module.make(*digits, 3, seed) for seed in (0, 0, 1))
    assert (first.images == again.images).all()
    assert (first.masks == again.masks).all()
    assert (first.images != other.images).any()


def test_no_digit_is_trained_on_and_scored(examples):
    scenes = examples["scenes"]
    everything = len(scenes.digits("train")[0])
    for choosing in (False, True):
        (train, _), (test, _) = backbone.split(scenes, choosing)
        kept, unseen = ({d.tobytes() for d in of} for of in (train, test))
        assert not kept & unseen
        assert len(train) + choosing * len(test) == everything


def test_tenths_of_the_test_have_no_digit_in_common(examples):
    module = examples["scenes"]
    images, labels = module.digits("validation")
    whole = backbone.in_tenths(module, (images, np.arange(len(labels))), 20)
    assert len(whole.images) == len(whole.masks) == 20
    for i, which in enumerate(whole.labels):
        assert set(which % 10) == {i // 2}


def guesses(scenes, rng):
    """Boxes near the true ones: some missing, some twice, some mislabelled."""
    found = []
    for boxes, labels in zip(scenes.boxes, scenes.labels, strict=True):
        kept = np.repeat(np.arange(len(boxes)), rng.integers(0, 3, len(boxes)))
        near = boxes[kept] + rng.normal(0, 1.5, (len(kept), 4))
        called = np.where(rng.random(len(kept)) < 0.8, labels[kept], 3)
        # There are so few different scores that some are equal.
        found.append((near, called, rng.integers(1, 20, len(kept)) / 20))
    return found


def coco_precision(scenes, found):
    """pycocotools' precision: the mean over all thresholds, and at 0.5."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(each):
        for image, (boxes, labels, scores) in enumerate(each, start=1):
            sides = np.concatenate(
                [boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1
            )
            for box, label, score in zip(sides, labels, scores, strict=True):
                yield {
                    "image_id": image,
                    "category_id": int(label) + 1,
                    "bbox": box.tolist(),
                    "area": float(box[2] * box[3]),
                    "score": float(score),
                    "iscrowd": 0,
                }

    truth = COCO()
    ones = [np.ones(len(labels)) for labels in scenes.labels]
    boxes = rows(zip(scenes.boxes, scenes.labels, ones, strict=True))
    truth.dataset = {
        "info": {},
        "images": [{"id": i + 1} for i in range(len(ones))],
        "categories": [{"id": i + 1} for i in range(10)],
        "annotations": [{**row, "id": i} for i, row in enumerate(boxes, 1)],
    }
    truth.createIndex()
    scored = COCOeval(truth, truth.loadRes(list(rows(found))), "bbox")
    scored.evaluate()
    scored.accumulate()
    scored.summarize()
    return scored.stats[:2]


def test_map_is_that_of_cocos_own_code(examples, scenes):
    pytest.importorskip(
        "pycocotools", reason="peers' packages: tests/peers.txt"
    )
    score = examples["detect"].score
    found = guesses(scenes, np.random.default_rng(0))
    ours = score(scenes, found)
    mean, at_half = coco_precision(scenes, found)
    expected = {"mAP at IoU 0.5": at_half, "mAP at 0.5 to 0.95": mean}
    assert ours == pytest.approx(expected, abs=1e-9)
    assert 0.1 < mean < at_half < 0.9
    # Negative control: other scores rank the same boxes differently.
    turned = [(boxes, labels, 1 - scores) for boxes, labels, scores in found]
    assert score(scenes, turned) != pytest.approx(ours, abs=1e-3)


def test_a_box_that_is_found_twice_is_found_once_and_wrong_once(examples):
    boxes = np.array([(0.0, 0, 10, 10), (20, 20, 30, 30)])
    truth = [(boxes, np.array([4, 4]))]
    scores = np.array([0.9, 0.8, 0.7])
    found = [(boxes[[0, 0, 1]], np.array([4, 4, 4]), scores)]
    precision = examples["scores"].mean_average_precision(truth, found)
    # 51 of 101 recalls are up to a half and have precision 1; then it is 2 / 3.
    np.testing.assert_allclose(precision, (51 + 50 * 2 / 3) / 101)


def test_mean_iou_is_that_of_keras(examples):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, (2, 8, 8))
    found = np.where(rng.random(truth.shape) < 0.6, truth, 2)
    metric = keras.metrics.MeanIoU(num_classes=11)
    metric.update_state(truth, found)
    ours = examples["scores"].mean_iou(truth, found, 11)
    assert ours == pytest.approx(float(metric.result()), abs=1e-6)
    assert ours != pytest.approx((truth == found).mean(), abs=1e-3)
    assert examples["scores"].mean_iou(truth, truth, 11) == 1


def test_what_the_detector_is_to_say_decodes_to_the_boxes(examples, scenes):
    detect = examples["detect"]
    wanted = detect.targets(scenes)
    with np.errstate(divide="ignore"):
        logits = np.log(wanted["middle"]) - np.log1p(-wanted["middle"])

    found = detect.decode(logits, wanted["edges"][..., :4])
    assert set(detect.score(scenes, found).values()) == {1.0}


def make_job(name, folder, **overrides):
    [job] = jobs.make(
        "backbone",
        rows.BACKBONE,
        "quick",
        rows=[name],
        seeds=[0],
        workdir=folder,
        overrides=overrides,
        dataset=overrides.pop("dataset", None),
    )
    return job


@pytest.mark.parametrize("name", ["detect plain-34", "segment ResNet-34"])
def test_an_experiment_s_row_trains_and_is_scored(name, tmp_path, monkeypatch):
    monkeypatch.setattr(backbone, "TESTED", 20)
    tiny = {"depths": (1, 1), "filters": (4, 4), "batch_size": 4}
    short = {"train_examples": 8, "steps": 2, "boundaries": ()}
    result = backbone.run(make_job(name, tmp_path, **tiny, **short))
    assert result["loss"] > 0 and result["test_scenes"] == 20
    assert result["scores"].keys() == result["tenths"].keys()
    for tenths in result["tenths"].values():
        assert len(tenths) == 10 and 0 <= min(tenths) <= max(tenths) <= 1


@pytest.mark.parametrize(
    "field, value",
    [("image_size", 48), ("dtype", "mixed_bfloat16"), ("dataset", "mnist")],
)
def test_a_record_says_nothing_that_was_not_done(field, value, tmp_path):
    fields = {"image_size": 64, field: value}
    job = make_job("detect plain-34", tmp_path, **fields)
    with pytest.raises(UsageError, match=f"Received: {field}"):
        backbone.run(job)


def test_networks_of_a_task_differ_in_shortcuts_alone(tmp_path):
    made = jobs.make("backbone", rows.BACKBONE, "quick", workdir=tmp_path)
    by_name = {job.row_name: job.recipe for job in made}
    for task in rows.TASKS:
        plain, ours = (by_name[f"{task} {name}"] for name in rows.NETWORKS)
        alike = {"variant": ours.variant, "learning_rate": ours.learning_rate}
        assert dataclasses.replace(plain, **alike) == ours
    plain, ours = map(specs.VARIANTS.get, rows.NETWORKS.values())
    fields = {"shortcut": ours.shortcut, "reference": ours.reference}
    assert dataclasses.replace(plain, **fields) == ours != plain


@pytest.mark.parametrize(
    "points, error, word",
    [
        ([3.0, 4.0, 2.1], 1.0, "better"),
        ([3.0, 4.0, 1.9], 1.0, "not told apart"),
        ([-3.0, -4.0, -2.1], 1.0, "worse"),
        ([-3.0, 4.0, 3.0], 1.0, "not told apart"),
    ],
)
def test_better_is_more_than_chance_with_each_seed(points, error, word):
    assert spreads.verdict(points, error) == word


def test_each_row_trains_at_its_best_rate_and_no_test_digit_chose_it():
    path = backbone.EXAMPLES.parent / "results" / "backbone_rates.json"
    scores = {
        record["row"]: list(record["result"]["scores"].values())[-1]
        for record in json.loads(path.read_text())
    }
    assert len(scores) == len(rows.BEST) * len(rows.RATES)
    for name, rate in rows.BEST.items():
        assert rate == max(rows.RATES, key=lambda r: scores[f"{name} at {r}"])
