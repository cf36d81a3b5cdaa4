"""What the README and the pages of docs/ say is true."""

import ast
import functools
import pathlib
import re

import fresh_machine
import programs
import pytest
import readme_files

import keras_resnet

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def _read(name):
    return (ROOT / name).read_text(encoding="utf-8")


README = _read("README.md")
KOREAN = sorted(path.name for path in DOCS.glob("*.ko.md"))
TEXT = "\n".join(
    [fresh_machine.documents(), _read("README.ko.md")]
    + [_read(f"docs/{name}") for name in (*KOREAN, "WHY_RESIDUAL.md")]
)


def _blocks(language, text=TEXT):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The current folder, with the files that the blocks read."""
    from huggingface_hub import constants

    folder = tmp_path_factory.mktemp("readme")
    readme_files.make_photos(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in readme_files.make_hub(folder).items():
            patch.setattr(constants, name, value)
        yield folder


# Without test extras, fresh_machine.py runs these blocks and those of other
# pages.
PYTHON = _blocks("python", README + _read("docs/FINE_TUNING.md"))


@pytest.mark.large
@pytest.mark.parametrize("block", PYTHON)
def test_python_runs(block, place):
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    if "tflite" in block:
        assert (place / "phone" / "manifest.json").is_file()


def test_commands_name_programs_and_flags_that_exist():
    commands = [
        line
        for block in _blocks("sh")
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith(("python pipelines/", "keras-resnet "))
    ]
    assert len(commands) >= 30
    for command in commands:
        program = pathlib.Path(command.split()[1]).stem
        flags = re.findall(r"--(\w+)=", command)
        assert set(flags) <= _flags(program), command


@functools.cache
def _flags(program):
    """The flags that --help shows."""
    done = programs.start(program, "--help", cwd=ROOT)
    return set(re.findall(r"^  --(\w+)", done.stdout, re.M))


def test_targets_of_make_exist():
    named = re.findall(r"(?:^|`)make ([a-z][a-z0-9-]*)", TEXT, re.M)
    assert len(set(named)) >= 4
    for target in named:
        assert re.search(rf"^{target}:", _read("Makefile"), re.M), target


def test_the_front_page_is_short():
    assert len(README.splitlines()) <= 150
    assert "make test" in README


def _versions(text):
    return set(re.findall(r"(?:Keras|TensorFlow|Python)[ |]+(\d\.\d+)", text))


@pytest.mark.parametrize(
    "name", ["README.md", "README.ko.md", "docs/SUPPORT.md"]
)
def test_versions_are_those_of_the_setup(name):
    setup = _read("setup.py")
    expected = {
        re.search(rf"{what}>=(\d+\.\d+)", setup)[1]
        for what in ('"keras', '"tensorflow', 'python_requires="')
    }
    assert _versions(_read(name)) == expected


def test_the_citation_is_of_this_version():
    version = keras_resnet.__version__
    assert f"version = {{{version}}}" in _read("docs/SUPPORT.md")
    assert f"\nversion: {version}\n" in _read("CITATION.cff")


def _fragments():
    """The library's texts, with a placeholder for what is filled in."""
    for path in (ROOT / "keras_resnet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(
                    getattr(part, "value", "") if isinstance(part, ast.Constant)
                    else "\0"
                    for part in node.values
                )  # fmt: skip
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _is_said(line, texts):
    """Whether a text contains the parts of a line that "..." separates."""
    parts = [part for part in re.split(r"\s*\.\.\.\s*", line) if part]
    return any(
        parts[0] in text and re.search(".*".join(map(re.escape, parts)), text)
        for text in texts
    )


def test_the_library_says_each_error_that_has_a_remedy():
    page, texts = _read("docs/ERRORS.md"), list(_fragments())
    lines = re.findall(r"^\| `(.*?)` \|", page.split("## Environment")[0], re.M)
    assert len(lines) > 20
    assert not [line for line in lines if not _is_said(line, texts)]
    assert not _is_said("There is no folder or horse ...", texts)


def _code(text):
    """Commands and Python of a page, without comments."""
    blocks = re.findall(r"^```(?:sh|python)\n(.*?)^```", text, re.M | re.S)
    lines = "\n".join(blocks).splitlines()
    lines = (re.sub(r"\s*#.*", "", line).strip() for line in lines)
    return [line for line in lines if line]


def _numbers(text):
    """Numbers of the prose, as they are written."""
    text = re.sub(r"^```.*?^```|\]\([^)]*\)", "", text, flags=re.M | re.S)
    return set(re.findall(r"(?<![A-Za-z\d.])\d[\d,.]*\d(?![A-Za-z\d])", text))


# {Korean page: numbers that the English one writes in words}.
IN_WORDS = {"WHY_RESIDUAL.ko.md": {"50"}}


@pytest.mark.parametrize("name", ["README.ko.md", *KOREAN])
def test_a_korean_page_has_the_commands_and_numbers_of_the_english(name):
    folder = "" if name.startswith("README") else "docs/"
    korean = _read(folder + name)
    english = _read(folder + name.replace(".ko", ""))
    assert _code(korean) == _code(english)
    # The Korean page may say less, but nothing else.
    known = _numbers(english) | IN_WORDS.get(name, set())
    assert _numbers(korean) <= known


def test_another_number_is_seen():
    assert _numbers("1.39 %, 20층, 2,000장.") == {"1.39", "20", "2,000"}
    assert _code("```sh\nmake test  # 2\n```") == ["make test"]


def test_recipes_and_flags_are_up_to_date(tmp_path):
    done = programs.start("recipes_page", f"--docs_dir={tmp_path}", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "RECIPES.md").read_text(encoding="utf-8")
    command = "Run: python pipelines/recipes_page.py"
    assert written == _read("docs/RECIPES.md"), command
