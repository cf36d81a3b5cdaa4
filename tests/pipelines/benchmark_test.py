"""benchmark.py: turns, medians and ratios; peers that do the same work."""

import ast
import json
import math
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import programs
import pytest
from absl.testing import flagsaver
from PIL import Image

from keras_resnet import UsageError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "pipelines" / "benchmark.py"
DOCS = ROOT / "docs"
needs_docs = pytest.mark.skipif(
    not DOCS.is_dir(), reason="docs/ is not beside the tests"
)
# {benchmark: (its document, whether a picture is kept)}.
DOCUMENTS = {
    "input": ("PERFORMANCE.md", True),
    "train": ("PERFORMANCE.md", True),
    "inference": ("PERFORMANCE.md", True),
    "scaling": ("SCALING.md", False),
}

benchmark = programs.module("benchmark")
for _name in benchmark.BENCHMARKS:  # `main` finds them imported
    programs.module(f"benchmarks.{_name}_benchmark")
measure = programs.module("benchmarks.measure")
runner = programs.module("benchmarks.runner")
worker = programs.module("benchmarks.worker")
tables = programs.module("benchmarks.tables")
pictures = programs.module("benchmarks.pictures")
document = programs.module("benchmarks.document")
photographs = programs.module("benchmarks.photographs")
memory = programs.module("benchmarks.memory")
input_benchmark = programs.module("benchmarks.input_benchmark")
contenders = programs.module("benchmarks.input_contenders")
small_contenders = programs.module("benchmarks.small_contenders")
quality = programs.module("benchmarks.quality")

# Work in processes of their own.

_WORK = """
import os
import pathlib

print("a library that prints")


def logged(path, name):
    def build():
        def steps(count, tick):
            for _ in range(count):
                with open(path, "a") as file:
                    file.write(name)
                tick()

        return steps

    return build


def greedy(megabytes):
    def build():
        def steps(count, tick):
            for _ in range(count):
                block = b"1" * (megabytes * 10**6)
                del block
                tick()

        return steps

    return build


def of_package(package):
    __import__(package)


def killed():
    def build():
        def steps(count, tick):
            for _ in range(count):
                tick()
            if count > 1:
                os.kill(os.getpid(), 9)

        return steps

    return build


def only_built():
    return lambda: {"of": "JSON"}
"""


@pytest.fixture
def contender(tmp_path, monkeypatch):
    """Contenders of a module which their processes find."""
    (tmp_path / "of_test.py").write_text(_WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(programs.PIPELINES))

    def make(function, images=1, **arguments):
        return runner.Contender(f"of_test:{function}", arguments, images)

    return make


def test_contenders_take_turns_and_the_first_round_does_not_count(
    contender, tmp_path
):
    log = tmp_path / "log"
    of = {n: contender("logged", 16, path=str(log), name=n) for n in "abc"}
    turns = runner.take_turns(of, rounds=3, steps=2, warm_up=1, say=str)
    begun, taken = log.read_text()[:6], log.read_text()[6:]
    assert begun == "aabbcc"
    # Three steps a turn, of which two are timed.
    assert taken[::3] == "abc" + "bca" + "cab" + "abc"
    assert taken == "".join(3 * name for name in taken[::3])
    assert [one.images for one in turns.rounds["a"]] == [32, 32, 32]
    assert [one.steps for one in turns.rounds["b"]] == [2, 2, 2]


def test_the_steps_that_warm_up_are_not_timed(monkeypatch):
    spent = {"process_time": 0.0, "perf_counter": 0.0}
    for name in spent:
        monkeypatch.setattr(worker.time, name, lambda name=name: spent[name])

    def steps(count, tick):
        for number in range(count):
            spent["process_time"] += 100 if number == 0 else 2
            spent["perf_counter"] += 100 if number == 0 else 1
            tick()

    for warm_up, cpu, wall in ((1, 6, 3), (0, 104, 102)):
        taken = worker.take(steps, warm_up, 3)
        assert (taken["cpu_seconds"], taken["wall_seconds"]) == (cpu, wall)


def test_a_process_is_new_and_its_most_memory_is_its_own(contender):
    begun = contender("greedy", megabytes=300).begin()
    # This process, with TensorFlow, holds more.
    assert begun["imported_megabytes"] < 200 < memory.resident_megabytes()
    more = begun["most_megabytes"] - begun["built_megabytes"]
    assert more == pytest.approx(300, abs=30)
    first, build = begun["first_step"], begun["build"]
    assert all(first[clock] >= build[clock] for clock in build)


def test_what_is_only_built_gives_its_result(contender):
    begun = contender("only_built").begin()
    assert begun["result"] == {"of": "JSON"} and "first_step" not in begun


def test_who_cannot_start_is_reported_and_the_others_go_on(contender):
    of = {
        "absent": contender("of_package", package="no_such_package"),
        "here": contender("greedy", megabytes=1),
    }
    turns = runner.take_turns(of, rounds=1, steps=1, say=str)
    assert list(turns.rounds) == ["here"]
    assert "No module named 'no_such_package'" in turns.missing["absent"]
    (heading, table) = tables.missing({"missing": turns.missing})
    assert "| absent " in table and "no_such_package" in table
    assert tables.missing({"missing": {}}) == []


def test_a_process_that_is_killed_in_its_turn_is_named(contender):
    with pytest.raises(RuntimeError, match="of_test:killed ended .* -9"):
        runner.take_turns(
            {"x": contender("killed")}, rounds=1, steps=1, say=str
        )


def test_every_contender_names_a_function_and_its_arguments():
    train = programs.module("benchmarks.train_benchmark")
    gpu = programs.module("benchmarks.gpu_benchmark")
    named = dict(train.CONTENDERS.values())
    named |= {
        c.function: c.arguments for c in gpu.contenders(gpu.FULL).values()
    }
    for name in ("input_contenders:large", "small_contenders:small"):
        named[f"benchmarks.{name}"] = {"batches": "ours", "images": 1}
    for function in ("our_model", "their_model"):
        named[f"benchmarks.keras_steps:{function}"] = {"name": "resnet20"}
    for contender, arguments in named.items():
        module, name = contender.split(":")
        source = programs.PIPELINES / (module.replace(".", "/") + ".py")
        (found,) = (
            node
            for node in ast.parse(source.read_text()).body
            if isinstance(node, ast.FunctionDef) and node.name == name
        )
        taken = {arg.arg for arg in found.args.args + found.args.kwonlyargs}
        assert set(arguments) <= taken


# Figures and what shows them.


def _rounds(images, cpu, wall):
    return [
        measure.Round(images=images, steps=1, cpu_seconds=c, wall_seconds=wall)
        for c in cpu
    ]


def test_the_ratio_is_of_the_medians_and_its_spread_of_the_rounds():
    rounds = {
        "ours": _rounds(10, (1.0, 2.0, 30.0), 2.0),
        "peer": _rounds(10, (4.0, 10.0, 6.0), 5.0),
    }
    summary = measure.summarise(
        rounds, ("cpu_ms", "images_per_second"), {"over": ("cpu_ms", "ours")}
    )
    assert summary["ours"]["cpu_ms"] == {"median": 200, "min": 100, "max": 3000}
    assert summary["peer"]["images_per_second"]["median"] == 2
    # Not the median of the ratios, which is 0.25.
    assert summary["peer"]["over"] == {
        "median": pytest.approx(2 / 6),
        "min": pytest.approx(2 / 10),
        "max": pytest.approx(30 / 6),
    }
    assert set(summary["ours"]["over"].values()) == {1.0}


def test_tables_go_between_the_marks_again_and_again(tmp_path):
    path = tmp_path / "x.md"
    marks = "<!-- benchmark input -->\n<!-- end of benchmark input -->"
    path.write_text(f"before\n{marks}\nafter\n")
    for text in ("one", "two"):
        document.Document(path, "input").replace(text)
        kept = path.read_text()
        assert kept.startswith("before\n") and kept.endswith("\nafter\n")
        assert f"\n\n{text}\n\n" in kept
    assert "one" not in kept
    with pytest.raises(UsageError, match="benchmark train"):
        document.Document(path, "train")


def _main(*words):
    """The command inside this process: seconds less than a new one."""
    with flagsaver.flagsaver():
        benchmark.main(benchmark.FLAGS(["benchmark.py", *map(str, words)])[1:])


@needs_docs
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documentation_shows_its_record(name, tmp_path):
    """`benchmark.py NAME --figures=... --markdown=... --plot=...` writes it."""
    path, copied = DOCS / f"{name}.json", tmp_path / "new" / "x.json"
    text = (DOCS / DOCUMENTS[name][0]).read_text(encoding="utf-8")
    written, plot = tmp_path / "x.md", tmp_path / "x.png"
    written.write_text(text, encoding="utf-8")
    flags = [f"--markdown={written}", f"--plot={plot}", f"--json={copied}"]
    _main(name, f"--figures={path}", *flags)
    assert written.read_text(encoding="utf-8") == text
    figures = json.loads(path.read_text())
    assert json.loads(copied.read_text()) == figures
    assert Image.open(plot).size[0] > 500
    if DOCUMENTS[name][1]:
        kept = path.with_suffix(".png").read_bytes()
        for picture in (kept, plot.read_bytes()):
            assert pictures.mark(figures).encode() in picture
    assert pictures.mark({**figures, "more": 1}) != pictures.mark(figures)


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "Name one benchmark"),
        (["inptu"], "Did you mean 'input'"),
        (["input", f"--figures={PROGRAM}"], "a file that --json wrote"),
        (["input", f"--json={ROOT}"], "Is a directory"),
        (["input", f"--markdown={PROGRAM}"], "<!-- benchmark input"),
        (["input", "--images=nothing"], "must be a folder with JPEG"),
        (["input", "--images=x", "--images_per_round=3"], "at least a batch"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_measured(words, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        _main(*words)


def test_figures_of_another_benchmark_are_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"benchmark": "train"}')
    with pytest.raises(UsageError, match="are of 'train'"):
        _main("input", f"--figures={path}")


def _spreads(figures):
    """Every spread in a record."""
    if isinstance(figures, dict):
        if set(figures) == {"median", "min", "max"}:
            yield figures
        figures = list(figures.values())
    if isinstance(figures, list):
        for part in figures:
            yield from _spreads(part)


@pytest.mark.large
@pytest.mark.parametrize("name", benchmark.BENCHMARKS)
def test_a_whole_command_in_small(name, tmp_path):
    path, picture = tmp_path / "x.json", tmp_path / "x.png"
    flags = ["--quick", f"--json={path}", f"--plot={picture}"]
    flags += [f"--exports={tmp_path / 'exports'}"]
    result = subprocess.run(
        [sys.executable, PROGRAM, name, *flags],
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    assert result.returncode == 0, result.stderr
    figures = json.loads(path.read_text())
    again = subprocess.run(
        [sys.executable, PROGRAM, name, f"--figures={path}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout in result.stdout
    assert Image.open(picture).size[0] > 500
    for why in figures.get("missing", {}).values():
        assert "No module named" in why
    for spread in _spreads(figures):
        assert 0 < spread["min"] <= spread["max"]
    _CHECKS.get(name, lambda figures: None)(figures)


def _check_input(figures):
    assert list(figures["sets"]) == list(photographs.SETS)
    for of_set in figures["sets"].values():
        assert list(of_set["speed"]) == list(input_benchmark.LARGE)
    large = figures["sets"]["12 megapixels"]["quality"]
    assert {row["method"] for row in large} > {"ours", quality.DCT}
    for case in figures["memory"]:
        readings = case["megabytes"]
        assert len(readings["streamed"]) == case["images"] // case["every"]
        assert min(readings["streamed"]) > readings["imported"] / 2 > 0


def _check_train(figures):
    assert figures["profile"]["convolutions, forward"]["operations"] == 53


def _check_scaling(figures):
    assert [row["workers"] for row in figures["steps"]] == [1, 2]
    # resnet20 with 1000 classes: 269,722 + 990 * 65 parameters.
    assert figures["bytes"] == 4 * (269_722 + 990 * 65)
    assert figures["bandwidth"] > 0


_CHECKS = {
    "input": _check_input,
    "train": _check_train,
    "scaling": _check_scaling,
}

# The input's files and contenders.


@pytest.mark.parametrize(
    "name, count, sizes, kilobytes",
    [
        ("500x375", 16, [(375, 500), (500, 375)], (97, 119)),
        ("12 megapixels", 1, [(4000, 3000)], (3_000, 5_000)),
    ],
)
def test_files_are_as_large_as_real_ones_and_the_same_each_time(
    name, count, sizes, kilobytes, tmp_path
):
    files = photographs.write(tmp_path, name, count)
    first = [path.read_bytes() for path in files]
    again = photographs.write(tmp_path, name, count)
    assert [path.read_bytes() for path in again] == first
    assert len(set(first)) == count
    of_all = photographs.describe(files)
    assert of_all["sizes"] == sizes
    low, high = kilobytes
    assert low < of_all["mean_kilobytes"] < high


def test_a_users_files_are_found_at_any_depth(tmp_path):
    source = tmp_path / "mine"
    (source / "a" / "b").mkdir(parents=True)
    for path in ("1.JPG", "a/2.jpeg", "a/b/3.jpg", "a/4.png"):
        Image.new("RGB", (8, 8)).save(source / path)
    for most, names in ((10, "1.JPG 2.jpeg 3.jpg"), (2, "1.JPG 2.jpeg")):
        target = tmp_path / str(most)
        target.mkdir()
        files = photographs.collect(target, source, most)
        assert [path.resolve().name for path in files] == names.split()


def test_patches_are_parts_of_the_photographs():
    patches, labels = photographs.patches(64, 32)
    originals = list(photographs.originals().values())
    for patch, label in zip(patches[:1], labels, strict=False):
        photograph = np.asarray(originals[label])
        windows = np.lib.stride_tricks.sliding_window_view(
            photograph[..., 0], (32, 32)
        )
        assert (windows == patch[..., 0]).all(axis=(2, 3)).any()
    assert len({patch.tobytes() for patch in patches}) == 64


@pytest.fixture(scope="module")
def ramp(tmp_path_factory):
    """One file of 500x375 that grows brighter to the right and downwards."""
    return _ramp(tmp_path_factory.mktemp("ramp"), 500, 375)


def _ramp(folder, width, height):
    across = np.linspace(60, 190, width)[np.newaxis].repeat(height, axis=0)
    down = np.linspace(60, 190, height)[:, np.newaxis].repeat(width, axis=1)
    pixels = np.stack([across, down, across], axis=-1).round().astype(np.uint8)
    path = folder / "train" / "ramp" / "1.jpg"
    path.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(path, quality=98, subsampling="4:4:4")
    return folder


@pytest.mark.parametrize(
    "name", sorted(set(input_benchmark.LARGE) - {input_benchmark.CEILING})
)
def test_every_contender_scales_crops_and_flips(name, ramp):
    function, choices = input_benchmark.LARGE[name]
    recipe = contenders.recipe(3, 32)
    batches = list(contenders.LARGE[function](ramp, recipe, **choices)())
    assert {np.asarray(batch).dtype for batch in batches} == {np.dtype("uint8")}
    crops = np.concatenate(batches).astype(float)
    assert crops.shape == (96, 224, 224, 3)
    # Brightness for each pixel, which is less the larger the scale.
    place = np.arange(224) - 111.5
    slope = (crops[..., 0].mean(axis=1) @ place) / (place @ place)
    scale = (130 / 500) * 375 / abs(slope)
    assert 250 < scale.min() < 275
    assert 460 < scale.max() < 487
    assert 0.3 < np.mean(slope > 0) < 0.7
    if choices.get("augmentation"):
        return  # its colours move the brightness by which a centre is known
    # The centre of a crop lies where a window of 224 / scale can.
    center = (crops[..., 1].mean(axis=(1, 2)) - 60) / 130
    half = 112 / scale
    assert np.all((half - 0.02 < center) & (center < 1.02 - half))
    assert np.std((center - half) / (1 - 2 * half)) > 0.2


@pytest.mark.parametrize("width, height", [(500, 375), (3000, 4000)])
def test_the_ceiling_decodes_windows_inside_the_image(width, height, tmp_path):
    folder = _ramp(tmp_path, width, height)
    ceiling = contenders.LARGE["ceiling"](folder, contenders.recipe(1, 32))
    (corners,) = [batch.numpy() for batch in ceiling()]
    assert corners.shape == (32,)
    # Their red: at most where the smallest window, of scale 480, begins.
    room = width - 224 * min(width, height) / 480
    assert 58 <= corners.min() < corners.max() <= 62 + 130 * room / width


def test_contenders_of_small_images_make_the_same_number():
    for name in input_benchmark.SMALL.values():
        ticks = []
        small_contenders.small(name, 300, 256)()(2, lambda: ticks.append(1))
        assert len(ticks) == 2


def test_who_makes_less_than_the_others_is_refused():
    steps = contenders.passes(lambda: iter([range(6), range(3)]), 10)
    with pytest.raises(RuntimeError, match="9 images were made, not 10"):
        steps(1, lambda: None)


def test_a_difference_is_in_decibels_and_of_255():
    crops = np.full((2, 4, 4, 3), 7, np.uint8)
    equal, off = (quality.difference("x", crops, crops + n) for n in (0, 2))
    assert (equal["psnr"], equal["mean_difference"]) == (None, 0)
    assert off["psnr"] == pytest.approx(20 * math.log10(255 / 2))
    assert off["mean_difference"] == 2


def _differences(folder, crops, scales):
    """{method: mean difference at each scale}."""
    found = {}
    for row in quality.measure(folder, crops, scales)():
        found.setdefault(row["method"], []).append(row["mean_difference"])
    return found


def test_what_shrinks_aliases_and_dct_scaling_less_than_bilinear(
    ramp, tmp_path
):
    rng = np.random.default_rng(0)
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    noise = rng.integers(0, 256, (1200, 1600, 3), np.uint8)
    Image.fromarray(noise).save(folder / "1.jpg", quality=95)
    bilinear = "bilinear, not antialiased"
    found = _differences(tmp_path, 1, (1200, 288))
    kept, shrunk = found[bilinear]
    assert (kept, shrunk > 0.5) == (0, True)
    assert found[quality.DCT] < [0.5 * shrunk]
    # At 1.3 there is nothing to scale by.
    assert list(_differences(ramp, 1, (288,))) == ["ours", bilinear]


def test_the_slope_is_of_the_second_half():
    # Warm-up first; then 2 MB every 500 images are 4,000 KB every 1,000.
    assert memory.slope([5, 50, 90, 100, 102, 104], 500) == pytest.approx(4_000)
    assert memory.slope([100] * 10, 1_000) == pytest.approx(0, abs=1e-6)


def test_many_files_are_links_to_few_in_all_classes(tmp_path):
    sources = []
    for name in "ab":
        sources.append(tmp_path / name)
        sources[-1].write_text(name)
    memory.link(sources, tmp_path, 10, 5)
    links = sorted((tmp_path / "train").glob("*/*.jpg"))
    assert len(links) == 10
    assert len({path.parent for path in links}) == 5
    assert len({os.stat(path).st_ino for path in links}) == 2
    assert {path.read_text() for path in links} == {"a", "b"}


def test_rounds_are_whole_batches_of_known_sets():
    for amounts in (input_benchmark.FULL, input_benchmark.QUICK):
        assert list(amounts["sets"]) == list(photographs.SETS)
        for of_set in amounts["sets"].values():
            assert of_set["images"] % amounts["batch_size"] == 0
        for case in amounts["memory"]:
            assert case["every"] % amounts["batch_size"] == 0
            assert case["images"] % case["every"] == 0
    mine = input_benchmark.of_user(input_benchmark.FULL, "some/photos", 100)
    assert mine["sets"]["photos"]["images"] == 96
