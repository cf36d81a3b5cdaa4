"""The documentation's Beam pipeline, if Apache Beam is installed."""

import dataclasses
import importlib.util
import re
import sys

import numpy as np
import odd_images
import programs
import pyarrow.parquet
import pytest
from exported_networks import card_of
from exported_networks import network

from keras_resnet.export.writers.onnx import export_onnx
from keras_resnet.export.writers.saved_model import export_saved_model
from keras_resnet.export.writers.tflite import export_tflite
from keras_resnet.inference import batch

ROOT = programs.ROOT
EXAMPLE = ROOT / "docs/examples/beam_predict.py"
DOCUMENT = ROOT / "docs/BATCH.md"

pytestmark = pytest.mark.skipif(
    not DOCUMENT.is_file(), reason="docs/ is not beside the tests"
)


@pytest.fixture
def document():
    return DOCUMENT.read_text(encoding="utf-8")


def test_the_document_shows_the_program_that_is_tested(document):
    program = EXAMPLE.read_text(encoding="utf-8")
    assert f"```python\n{program}```" in document


def test_the_document_s_commands_have_flags_that_exist(document):
    blocks = re.findall(r"^```sh\n(.*?)^```", document, re.M | re.S)
    lines = "".join(blocks).replace("\\\n", "").splitlines()
    commands = [line for line in lines if re.match(r"\S*python \S+py ", line)]
    assert len(commands) == 2
    for command in commands:
        _, program, *flags = command.split()
        if program == "pipelines/predict.py":
            program = "keras_resnet/commands/predict.py"
        source = (ROOT / program).read_text(encoding="utf-8")
        for flag in flags:
            name = flag.partition("=")[0].removeprefix("--")
            assert f'"{name}"' in source or f'"--{name}"' in source, command
    text = re.findall(r"--(\w+)", document.partition("## Apache Beam")[0])
    path = ROOT / "keras_resnet/commands/predict.py"
    source = path.read_text(encoding="utf-8")
    for name in set(text):
        assert f'"{name}"' in source, name


@pytest.fixture(scope="module")
def example():
    pytest.importorskip("apache_beam", reason="needs Apache Beam (docs/BATCH)")
    spec = importlib.util.spec_from_file_location("beam_predict", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.large
@pytest.mark.parametrize(
    "name, export",
    [
        ("saved_model", export_saved_model),
        ("model.tflite", export_tflite),
        ("model.onnx", export_onnx),
    ],
)
def test_the_pipeline_writes_the_rows_that_the_command_writes(
    example, tmp_path, name, export
):
    model = network()
    card = card_of(model)
    card.save(tmp_path)
    export(model, tmp_path / name, card=card)
    photos = tmp_path / "photos"
    for number in range(40):
        folder = photos / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        image = odd_images.photograph(20 + number, 60 - number)
        data = odd_images.encode(image, "JPEG")
        (folder / f"{number}.jpg").write_bytes(data if number % 9 else b"")

    example.main(
        [
            f"--model={tmp_path / name}",
            f"--input={photos}/**.jpg",
            f"--output={tmp_path / 'beam' / 'predictions'}",
            "--batch_size=8",
            "--runner=DirectRunner",
        ]
    )
    job = batch.Job(
        model=str(tmp_path / name),
        input=str(photos),
        output=str(tmp_path / "ours.parquet"),
    )
    summary = batch.run(job)
    assert (summary.rows, summary.errors) == (40, 5)
    expected = pyarrow.parquet.read_table(job.output)
    found = pyarrow.parquet.read_table(tmp_path / "beam")
    found = found.sort_by("path").select(expected.column_names)
    expected = expected.sort_by("path")
    for column in expected.column_names:
        ours, theirs = expected[column], found[column]
        if column.startswith("probability"):
            ours, theirs = (
                np.array(values.to_pylist(), float) for values in (ours, theirs)
            )
            np.testing.assert_allclose(theirs, ours, atol=1e-6)
        else:
            assert theirs.to_pylist() == ours.to_pylist(), column


def test_labels_that_do_not_exclude_each_other_are_refused(
    example, tmp_path, capsys
):
    card = dataclasses.replace(card_of(network()), multi_label=True)
    card.save(tmp_path)
    (tmp_path / "model.onnx").touch()
    words = [f"--model={tmp_path / 'model.onnx'}", "--input=x", "--output=y"]
    with pytest.raises(SystemExit) as stop:
        example.main(words)
    assert stop.value.code == 2
    assert "gives any number of labels" in capsys.readouterr().err
