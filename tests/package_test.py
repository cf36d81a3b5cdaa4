"""The package as it is imported and installed."""

import ast
import importlib
import importlib.metadata
import inspect
import json
import pathlib
import re
import subprocess
import sys

import programs
import pytest
import zygote

import keras_resnet
from keras_resnet import moved

ROOT = pathlib.Path(__file__).resolve().parents[1]

_MODULES = """
import json, sys
{imports}
print(json.dumps(sorted({{name.split(".")[0] for name in sys.modules}})))
"""
HEAVY = {
    "PIL",
    "ai_edge_litert",
    "jax",
    "keras",
    "matplotlib",
    "onnxruntime",
    "pyarrow",
    "scipy",
    "tensorflow",
    "tensorflow_datasets",
    "tf2onnx",
}


def _python(code):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _loaded(imports):
    return set(json.loads(_python(_MODULES.format(imports=imports))))


def _after_keras(code, tmp_path):
    """What a program prints in a process that has imported only Keras."""
    program = tmp_path / "program.py"
    program.write_text(code)
    done = zygote.run(program, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "imports",
    [
        "import keras_resnet; keras_resnet.VARIANTS",
        "import keras_resnet.export.verification.isolated",
    ],
)
def test_what_needs_no_keras_loads_none(imports):
    assert not _loaded(imports) & HEAVY


def test_the_public_names_are_those_of_the_stub():
    stub = (ROOT / "keras_resnet/__init__.pyi").read_text()
    names = set(re.findall(r" as (\w+)$", stub, re.M))
    assert {"build", "ResNet50", "VARIANTS", "load_weights"} <= names
    assert set(keras_resnet.__all__) == set(dir(keras_resnet)) == names
    for name in names:
        assert getattr(keras_resnet, name) is not None


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    shape, filters = (8, 8, 3), (16, 16, 16)
    model = keras_resnet.build(
        "resnet20", depths=(1, 1, 1), filters=filters, input_shape=shape
    )
    model.save(path)
    return path


def test_a_model_loads_after_both_imports_and_takes_no_more_than_keras(
    model_file, tmp_path
):
    """The library is imported first; it imports Keras only on use."""
    load = f"assert keras.saving.load_model({str(model_file)!r})"
    code = f"import keras_resnet, keras; {load}; keras_resnet.build"
    library = _loaded(code)
    keras = json.loads(_after_keras(_MODULES.format(imports=""), tmp_path))
    assert "keras" in keras and "keras_resnet" not in keras
    assert not (library - set(keras)) & HEAVY


def test_a_model_loads_where_it_is_imported_after_and_not_without_it(
    model_file, tmp_path
):
    load = f"keras.saving.load_model({str(model_file)!r})"
    with pytest.raises(AssertionError, match="keras_resnet"):
        _after_keras(f"import keras; {load}", tmp_path)
    loaded = f"import keras, keras_resnet; print({load}.name)"
    assert "resnet20" in _after_keras(loaded, tmp_path)


def _requirements():
    return [
        requirement
        for requirement in importlib.metadata.requires(
            "residual-networks-keras"
        )
        if "extra ==" not in requirement
    ]


def _deptry(requirements, tmp_path):
    """What deptry says if only these are required, "" if nothing."""
    path = tmp_path / "requirements.txt"
    path.write_text("\n".join(requirements))
    command = ["-m", "deptry", "keras_resnet", "pipelines", "--no-ansi"]
    done = subprocess.run(
        [sys.executable, *command, "--requirements-files", path],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    return done.stderr if done.returncode else ""


# None of our files imports them, but `make fresh` fails without them.
NOT_IMPORTED = {"importlib-resources", "tensorboard"}


def test_what_is_imported_is_required(tmp_path):
    assert _deptry(_requirements(), tmp_path) == ""


def test_a_requirement_that_is_left_out_is_missed(tmp_path):
    """deptry names the modules of each requirement that our files import."""
    said = _deptry([], tmp_path)
    missed = set(re.findall(r"'([\w.]+)' imported but", said))
    modules = importlib.metadata.packages_distributions()
    found = {
        distribution.lower().replace("_", "-")
        for module in missed
        for distribution in modules.get(module.split(".")[0], [module])
    }
    names = {re.match(r"[\w-]+", r)[0].lower() for r in _requirements()}
    assert len(names) > 5 and NOT_IMPORTED < names
    assert names - found == NOT_IMPORTED


def _packaged():
    """{package: patterns} that setup.py puts into a wheel beside modules."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    [found] = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "package_data"
    ]
    return ast.literal_eval(found)


def _left_out(patterns):
    """Files of the package that are no module and match no pattern."""
    root = ROOT / "keras_resnet"
    known = {
        path
        for package, names in patterns.items()
        for name in names
        for path in (ROOT / package.replace(".", "/")).glob(name)
    }
    files = (p for p in root.rglob("*") if p.is_file())
    return {p.name for p in files if p.suffix not in (".py", ".pyc")} - {
        p.name for p in known
    }


def test_the_wheel_has_every_file_of_the_package():
    assert not _left_out(_packaged())
    fewer = {**_packaged(), "keras_resnet.labels": []}
    assert _left_out(fewer) == {"imagenet_classes.txt"}


def test_names_that_moved_give_way_with_a_warning():
    with pytest.warns(DeprecationWarning, match="is now .*networks.specs"):
        old = importlib.import_module("keras_resnet.specs")
    assert old.VARIANTS is keras_resnet.VARIANTS
    with pytest.warns(DeprecationWarning, match="labels.cards.top_classes"):
        from keras_resnet.labels import top_classes
    assert callable(top_classes)
    with pytest.raises(ImportError, match="nothing"):
        from keras_resnet.labels import nothing  # noqa: F401
    with pytest.raises(ImportError, match="no_room"):
        importlib.import_module("keras_resnet.no_room")


def test_every_module_that_moved_is_where_the_table_says():
    for old, new in moved.MODULES.items():
        place = ROOT / "keras_resnet" / pathlib.Path(*new.split("."))
        assert place.with_suffix(".py").is_file(), new
        gone = ROOT / "keras_resnet" / pathlib.Path(*old.split("."))
        assert not gone.with_suffix(".py").exists(), old


@pytest.mark.parametrize("name", keras_resnet.__all__)
def test_a_public_function_says_its_types(name):
    value = getattr(keras_resnet, name)
    if not inspect.isfunction(value) or name[0].isupper():
        return
    signature = inspect.signature(value)
    assert signature.return_annotation is not inspect.Signature.empty
    # What may come from any backend has no single type.
    free = {"strategy", "choices", "fields", "options", "probabilities"}
    for argument in signature.parameters.values():
        if argument.name not in free:
            assert argument.annotation is not argument.empty, argument
    assert inspect.getdoc(value)


def test_the_page_of_what_is_public_is_up_to_date(tmp_path):
    page = (ROOT / "docs/API.md").read_text(encoding="utf-8")
    done = programs.start("api_page", f"--docs_dir={tmp_path}", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "API.md").read_text(encoding="utf-8")
    assert page == written, "Run: python pipelines/api_page.py"
