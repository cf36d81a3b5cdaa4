"""The READMEs' Python runs, and their commands exist."""

import functools
import pathlib
import re

import programs
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXTS = ("README.md", "README.ko.md", "docs/WHY_RESIDUAL.md")
README = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in TEXTS)


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    if "probabilities" in names:
        assert names["probabilities"].shape == (2, 1000)


def test_commands_name_programs_and_flags_that_exist():
    commands = [
        line
        for block in _blocks("sh")
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith("python pipelines/")
    ]
    assert len(commands) >= 6
    for command in commands:
        program = pathlib.Path(command.split()[1]).stem
        flags = re.findall(r"--(\w+)=", command)
        assert set(flags) <= _flags(program), command


@functools.cache
def _flags(program):
    """Those that --help shows."""
    done = programs.start(program, "--help", cwd=ROOT)
    return set(re.findall(r"^  --(\w+)", done.stdout, re.M))


def test_targets_of_make_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`?make ([a-z0-9-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.M), target
