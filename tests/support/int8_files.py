"""Files of float32 and of 8 bits of one network, for tests of their readers."""

from exported_networks import card_of
from exported_networks import digits

from keras_resnet.export.verification.verify import evaluation_views
from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.tflite import export_tflite

TFLITE = ("float32", "dynamic_int8", "int8")
ONNX = ("float32", "int8")


def write_all(model, folder):
    """Writes PRECISION.tflite and PRECISION.onnx, of each precision above."""
    card = card_of(model)
    views = evaluation_views(digits(32, "train")[0], card)
    for export, suffix, precisions in (
        (export_tflite, "tflite", TFLITE),
        (export_onnx, "onnx", ONNX),
    ):
        for precision in precisions:
            export(
                model,
                folder / f"{precision}.{suffix}",
                card=card,
                precision=precision,
                calibration=views if precision == "int8" else None,
            )
