"""docs/PHONES.md describes exported files as they are."""

import json
import re

import numpy as np
import phone_files
import programs
import pytest
import tflite_files
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter

from keras_resnet.export import formats
from keras_resnet.export.writers import serving
from keras_resnet.export.writers.tflite import export_tflite

DOCUMENT = (programs.ROOT / "docs/PHONES.md").read_text(encoding="utf-8")
BLOCKS = re.findall(
    r"^```(kotlin|swift|python)\n(.*?)^```", DOCUMENT, re.M | re.S
)
# Strings of the examples that do not come from an export.
OTHERS = {"square.png"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A directory with the files for phones."""
    folder = tmp_path_factory.mktemp("exported")
    phone = phone_files.phone()
    phone.card.save(folder)
    shared = serving.Network(phone.model, phone.card)
    for precision, file in phone_files.FILES.items():
        choices = {"precision": precision, "calibration": phone.images}
        export_tflite(shared, folder / file, card=phone.card, **choices)
    return folder


def _tensors(path):
    """(signature's name, input's and output's name, their details)."""
    interpreter = Interpreter(model_path=str(path))
    ((name, signature),) = interpreter.get_signature_list().items()
    runner = interpreter.get_signature_runner(name)
    ((given, images),) = runner.get_input_details().items()
    ((taken, probabilities),) = runner.get_output_details().items()
    assert signature == {"inputs": [given], "outputs": [taken]}
    return name, given, taken, images, probabilities


def _type(details, names):
    """A dtype and a shape as the document writes them."""
    shape = ", ".join(names.get(n, str(n)) for n in map(int, details["shape"]))
    return f"{np.dtype(details['dtype']).name} ({shape})"


def _code(language):
    return "\n".join(code for kind, code in BLOCKS if kind == language)


def _strings(language):
    """All strings in the examples of a language, with complete file names."""
    code = re.sub(r"//.*|^#.*", "", _code(language), flags=re.M)
    code = re.sub(r'resource\("(\w+)", "(\w+)"\)', r'"\1.\2"', code)
    return set(re.findall(r'"([^"]*)"', code))


def test_table_is_what_the_files_are(exported):
    rows = re.findall(
        r"^\| `([\w.]+)` \| `([^`]+)`[^|]*\| `([^`]+)`", DOCUMENT, re.M
    )
    assert len(rows) == len(list(exported.glob("*.tflite"))) == 4
    written = {row.file for row in formats.FORMATS.values()}
    assert {file for file, *_ in rows} <= written
    names = {phone_files.SIZE: "S", len(phone_files.NAMES): "K"}
    for file, images, probabilities in rows:
        *_, given, taken = _tensors(exported / file)
        assert images == _type(given, names), file
        assert probabilities == _type(taken, names), file


def test_every_name_of_the_examples_is_one_of_the_files(exported):
    signature, given, taken, *_ = _tensors(exported / "model.tflite")
    files = {path.name for path in exported.iterdir()}
    fields = set(json.loads((exported / "card.json").read_text()))
    known = {signature, given, taken, *files, *fields, *OTHERS}
    assert {language for language, _ in BLOCKS} == {"kotlin", "swift", "python"}
    for language in ("kotlin", "swift", "python"):
        strings = _strings(language)
        assert "model.tflite" in strings
        assert strings <= known, (language, strings - known)
    assert {signature, given, taken, "card.json"} <= _strings("kotlin")
    assert "card.json" in _strings("swift")


def test_swift_reads_fields_of_the_card_by_index_of_one_tensor(exported):
    code = _code("swift")
    card = json.loads((exported / "card.json").read_text())
    for field in re.findall(r"^  let (\w+_\w+): Int$", code, re.M):
        assert isinstance(card[field], int)
    assert set(re.findall(r"(?:inputs|outputs)\[(\d)\]", code)) == {"0"}
    _, given, taken, *_ = _tensors(exported / "model.tflite")
    assert f"// one: {given}" in code and f"// one: {taken}" in code


def test_bytes_are_pixels_and_256ths(exported):
    *_, given, taken = _tensors(exported / "model_int8.tflite")
    assert given["quantization"] == (1.0, 0)
    assert taken["quantization"] == (1 / 256, 0)
    code = [code for _, code in BLOCKS if "Int8" in code and "256" in code]
    assert len(code) == 2  # Kotlin and Swift


def test_types_that_are_written_are_those_of_the_files(exported):
    """FloatArray and [Float] for float32, ByteArray and [UInt8] for uint8."""
    for language, word in {
        "kotlin": {"float32": "writeFloat", "uint8": "writeInt8"},
        "swift": {"float32": "map { Float($0) }", "uint8": "[UInt8] = try"},
    }.items():
        blocks = [code for kind, code in BLOCKS if kind == language]
        default, int8, _ = blocks
        for block, file in ((default, "model"), (int8, "model_int8")):
            *_, given, _ = _tensors(exported / f"{file}.tflite")
            dtype = np.dtype(given["dtype"]).name
            assert word[dtype] in block, (language, file)


@pytest.mark.parametrize(
    "file, dtype", [("model.tflite", "float32"), ("model_int8.tflite", "uint8")]
)
def test_compiled_model_takes_these_names_and_types(exported, file, dtype):
    """The API of the examples, which has the same calls in Python."""
    signature, given, taken, *_ = _tensors(exported / file)
    image = np.arange(phone_files.SIZE**2 * 3).astype(np.uint8)
    model = CompiledModel.from_file(str(exported / file))
    images = model.create_input_buffer_by_name(signature, given)
    probabilities = model.create_output_buffer_by_name(signature, taken)
    images.write(image.astype(dtype))
    model.run_by_name(signature, {given: images}, {taken: probabilities})
    actual = probabilities.read(len(phone_files.NAMES), np.dtype(dtype).type)
    image = image.reshape(1, phone_files.SIZE, phone_files.SIZE, 3)
    (expected,) = tflite_files.predict((exported / file).read_bytes(), image)
    np.testing.assert_array_equal(actual, expected)
