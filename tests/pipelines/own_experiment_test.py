"""An experiment from outside the package is run, listed and reported."""

import json

import programs
import pytest

experiments = programs.module("reproduction.experiments")


def _reproduce(tmp_path, *words):
    return programs.start(
        "reproduce",
        "--import=own_experiment",
        f"--docs_dir={tmp_path}",
        f"--workdir={tmp_path / 'runs'}",
        *words,
        cwd=programs.SUPPORT,
    )


def test_it_leaves_records_and_a_chapter_as_ours_do(tmp_path):
    done = _reproduce(tmp_path, "--experiment=own_layers", "--rows=three")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "results/own_layers.json"
    [record] = json.loads(path.read_text())
    assert (record["row"], record["recipe"]["block"]) == ("three", "own_block")
    listed = _reproduce(tmp_path, "--list")
    assert "own_layers" in listed.stdout, listed.stderr
    assert _reproduce(tmp_path, "--report").returncode == 0
    text = (tmp_path / "RESULTS.md").read_text()
    assert "## own_layers\n\nLayers of a block: nobody's paper." in text


def test_without_the_module_it_is_unknown(tmp_path):
    done = programs.start("reproduce", "--experiment=own_layers", cwd=tmp_path)
    assert done.returncode == 2
    assert "Unknown experiment 'own_layers'" in done.stderr


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ValueError, match="experiment 'warmup' already"):
        experiments.register("warmup", experiments.EXPERIMENTS["options"])
