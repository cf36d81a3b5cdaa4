"""How much each precision may differ, and verification in a new process."""

import exported_networks
import numpy as np
import pytest
from exported_networks import card_of
from exported_networks import digits

from keras_resnet.errors import UsageError
from keras_resnet.export.verification import bounds
from keras_resnet.export.verification import isolated
from keras_resnet.export.verification.verify import verify
from keras_resnet.export.writers import manifest
from keras_resnet.inference import artifact
from keras_resnet.labels.cards import load_card


def test_verification_in_a_process_finds_the_same(model, copied):
    """Only the artifact with two signatures: a process takes seconds."""
    rows = artifact.read_manifest(copied)
    rows = [row for row in rows if row.format == "saved_model"]
    manifest.write_manifest(copied, rows, load_card(copied))
    images, labels = digits()
    arguments = (copied, model, images)
    inside = verify(*arguments, labels=labels, predict=isolated.predict)
    outside = verify(*arguments, labels=labels)
    assert inside == outside and len(inside) == 2


def test_a_process_that_dies_is_one_artifact_s_fault(model, exported):
    views = exported_networks.views(card_of(model), 4)
    inputs = isolated.Inputs(views, digits(4)[0])
    with pytest.raises(UsageError, match="There is no model"):
        isolated.predict_isolated(exported / "nothing", inputs)
    with pytest.raises(UsageError, match="(?s)ended with status 1: .*KeyError"):
        isolated.predict_isolated(
            exported / "model.onnx", inputs, runtime="none"
        )


@pytest.mark.parametrize(
    "precision, changes, breach",
    [
        ("float32", {"max_abs_diff": 2e-4}, "probability differs by 0.0002"),
        ("float32", {"max_abs_diff": np.nan}, "probability differs by nan"),
        ("float32", {"relative_logit_diff": 0.1}, "a logit differs by 0.1"),
        ("float32", {"clear_agreement": 0.995}, "agrees for 99.5%"),
        ("float32", {}, None),
        ("bfloat16", {"relative_logit_diff": 0.1}, None),
        ("bfloat16", {"relative_logit_diff": 0.2}, "a logit differs by 0.2"),
        ("int8", {"max_abs_diff": 0.2, "relative_logit_diff": 9.0}, None),
        ("int8", {"clear_agreement": 0.99}, None),
        ("int8", {"clear_agreement": 0.98}, "agrees for 98.0%"),
        ("int8", {"accuracy_loss": 0.005}, None),
        ("int8", {"accuracy_loss": 0.006}, "0.6% of top-1 accuracy are lost"),
        ("int8", {"accuracy_loss": 0.02, "num_images": 50}, None),  # one image
        ("int8", {"accuracy_loss": 0.04, "num_images": 50}, "4.0% of top-1"),
        ("int8", {"accuracy_loss": -0.1}, None),
        ("int8", {"accuracy_loss": None}, None),
    ],
)
def test_float32_is_the_same_and_8_bits_lose_half_a_point(
    precision, changes, breach
):
    fields = {
        "max_abs_diff": 0.0,
        "relative_logit_diff": 0.0,
        "top1_agreement": 1.0,
        "clear_agreement": 1.0,
        "accuracy_loss": 0.0,
        "num_images": 1000,
        **changes,
    }
    report = bounds.Report(
        path="m", signature="s", runtime="own", precision=precision, **fields
    )
    lines = bounds.breaches(report, bounds.BOUNDS[precision])
    assert len(lines) == (breach is not None)
    assert breach is None or breach in lines[0]
