"""benchmark.py: turns, medians and ratios; peers that do the same work."""

import dataclasses
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
FIGURES = ROOT / "docs" / "input.json"
needs_docs = pytest.mark.skipif(
    not FIGURES.parent.is_dir(), reason="docs/ is not beside the tests"
)
PEERS = (
    "ours",
    "tf.data, plain",
    "tf.data, antialiased",
    "Pillow, as torchvision",
)


measure = programs.module("benchmarks.measure")
photographs = programs.module("benchmarks.photographs")
contenders = programs.module("benchmarks.contenders")
quality = programs.module("benchmarks.quality")
memory = programs.module("benchmarks.memory")
small = programs.module("benchmarks.small")
report = programs.module("benchmarks.input_report")
pictures = programs.module("benchmarks.pictures")
document = programs.module("benchmarks.document")


class _Clock:
    """Time passes only where a contender says so."""

    def __init__(self):
        self.cpu = self.wall = 0.0
        self.calls = []

    def contender(self, name, seconds, images=10):
        seconds = iter(seconds)

        def run():
            self.calls.append(name)
            spent = next(seconds)
            self.cpu += spent
            self.wall += spent / 2
            return images

        return run

    @property
    def clocks(self):
        return lambda: self.cpu, lambda: self.wall


def test_contenders_take_turns_and_the_first_round_does_not_count():
    clock = _Clock()
    runs = measure.alternate(
        {
            "a": clock.contender("a", [9, 1, 2, 3]),
            "b": clock.contender("b", [9, 4, 5, 6]),
            "c": clock.contender("c", [9, 7, 8, 9]),
        },
        rounds=3,
        clocks=clock.clocks,
    )
    assert "".join(clock.calls) == "abc" + "bca" + "cab" + "abc"
    assert [run.cpu_seconds for run in runs["a"]] == [1, 2, 3]
    assert [run.wall_seconds for run in runs["b"]] == [2, 2.5, 3]
    assert {run.images for run in runs["c"]} == {10}


def test_contenders_that_do_less_are_refused():
    clock = _Clock()
    lazy = {
        "a": clock.contender("a", [1, 1]),
        "b": clock.contender("b", [1, 1], images=9),
    }
    with pytest.raises(RuntimeError, match="'b': .9, 9."):
        measure.alternate(lazy, rounds=1, clocks=clock.clocks)


def test_the_ratio_is_of_the_medians_and_its_spread_of_the_rounds():
    runs = {
        "ours": [measure.Run(10, cpu, 2.0) for cpu in (1.0, 2.0, 30.0)],
        "peer": [measure.Run(10, cpu, 5.0) for cpu in (4.0, 10.0, 6.0)],
    }
    summary = measure.summarise(runs, "ours")
    assert summary["ours"]["cpu_ms"] == {"median": 200, "min": 100, "max": 3000}
    assert summary["peer"]["cpu_ms"]["median"] == 600
    assert summary["peer"]["images_per_second"]["median"] == 2
    # Not the median of the ratios, which is 0.25.
    assert summary["peer"]["reference_over_this"] == {
        "median": pytest.approx(2 / 6),
        "min": pytest.approx(2 / 10),
        "max": pytest.approx(30 / 6),
    }
    assert set(summary["ours"]["reference_over_this"].values()) == {1.0}


def test_the_files_are_as_large_as_imagenets_and_the_same_each_time(tmp_path):
    image_set = photographs.SETS["500x375"]
    files = photographs.write(tmp_path, image_set, 16)
    first = [path.read_bytes() for path in files]
    again = photographs.write(tmp_path, image_set, 16)
    assert [path.read_bytes() for path in again] == first
    assert len(set(first)) == 16
    of_all = photographs.describe(files)
    assert of_all["sizes"] == [(375, 500), (500, 375)]
    assert of_all["mean_kilobytes"] == pytest.approx(
        photographs.IMAGENET_KILOBYTES, rel=0.1
    )


def test_a_large_file_is_as_a_telephones(tmp_path):
    files = photographs.write(tmp_path, photographs.SETS["12 megapixels"], 1)
    of_all = photographs.describe(files)
    assert of_all["sizes"] == [(4000, 3000)]
    assert 3_000 < of_all["mean_kilobytes"] < 5_000


def test_a_users_files_are_found_at_any_depth(tmp_path):
    source, target = tmp_path / "mine", tmp_path / "links"
    (source / "a" / "b").mkdir(parents=True)
    target.mkdir()
    for path in ("1.JPG", "a/2.jpeg", "a/b/3.jpg", "a/4.png"):
        Image.new("RGB", (8, 8)).save(source / path)
    files = photographs.collect(target, source, 10)
    assert [path.resolve().name for path in files] == [
        "1.JPG",
        "2.jpeg",
        "3.jpg",
    ]
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    files = photographs.collect(fewer, source, 2)
    assert [path.resolve().name for path in files] == ["1.JPG", "2.jpeg"]
    with pytest.raises(UsageError, match="must be a folder with JPEG"):
        photographs.collect(target, source / "nothing", 10)


def test_patches_are_parts_of_the_photographs():
    patches, labels = photographs.patches(64, 32)
    originals = list(photographs.originals().values())
    for patch, label in zip(patches[:3], labels, strict=False):
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
    return contenders.Images(folder, [path])


@pytest.mark.parametrize("name", PEERS)
def test_every_contender_scales_crops_and_flips(name, ramp):
    recipe = contenders.recipe(96, 32)
    batches = list(contenders.CONTENDERS[name](ramp, recipe)())
    crops = np.concatenate(batches).astype(float)
    assert crops.shape == (96, 224, 224, 3)
    assert {np.asarray(batch).dtype for batch in batches} == {np.dtype("uint8")}
    # Brightness for each pixel, which is less the larger the scale.
    place = np.arange(224) - 111.5
    slope = (crops[..., 0].mean(axis=1) @ place) / (place @ place)
    scale = (130 / 500) * 375 / abs(slope)
    assert 250 < scale.min() < 275
    assert 460 < scale.max() < 487
    assert 0.3 < np.mean(slope > 0) < 0.7
    # The centre of a crop lies where a window of 224 / scale can.
    center = (crops[..., 1].mean(axis=(1, 2)) - 60) / 130
    half = 112 / scale
    assert np.all((half - 0.02 < center) & (center < 1.02 - half))
    assert np.std((center - half) / (1 - 2 * half)) > 0.2


@pytest.mark.parametrize("width, height", [(500, 375), (3000, 4000)])
def test_the_ceiling_decodes_windows_inside_the_image(width, height, tmp_path):
    images = _ramp(tmp_path, width, height)
    recipe = contenders.recipe(32, 32)
    ceiling = contenders.CONTENDERS[contenders.CEILING](images, recipe)
    (corners,) = [batch.numpy() for batch in ceiling()]
    assert corners.shape == (32,)
    # Their red: at most where the smallest window, of scale 480, begins.
    room = width - 224 * min(width, height) / 480
    assert 58 <= corners.min() < corners.max() <= 62 + 130 * room / width


def test_all_contenders_of_small_images_make_the_same_number():
    made = {
        name: [np.asarray(batch) for batch in batches()]
        for name, batches in small.prepare(300, 256).items()
    }
    assert len(made) == 2
    for batches in made.values():
        assert [batch.shape for batch in batches] == [(128, 32, 32, 3)] * 2
        assert batches[0].dtype == np.uint8


def test_a_difference_is_in_decibels_and_of_255(ramp, monkeypatch):
    crops = np.full((2, 4, 4, 3), 7, np.uint8)
    methods = {
        "equal": lambda *_: (crops, crops),
        "two off": lambda *_: (crops, crops + 2),
    }
    monkeypatch.setattr(quality, "METHODS", methods)
    equal, off = quality.measure(ramp, contenders.recipe(1, 1), (375,))
    assert (equal["psnr"], equal["mean_difference"]) == (None, 0)
    assert off["psnr"] == pytest.approx(20 * math.log10(255 / 2))
    assert off["mean_difference"] == 2
    assert off["shrink"] == 1


def test_bilinear_aliases_more_the_more_it_shrinks(tmp_path):
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    files = photographs.write(folder, photographs.SETS["500x375"], 2)
    images = contenders.Images(tmp_path, files)
    rows = quality.measure(images, contenders.recipe(2, 2), (375, 256))
    by_method = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row["mean_difference"])
    # Nothing shrinks at 375, and DCT scaling has no place at 1.46.
    assert list(by_method) == ["ours", "bilinear, not antialiased"]
    kept, shrunk = by_method["bilinear, not antialiased"]
    assert (kept, shrunk > 0.5) == (0, True)


def test_dct_scaling_aliases_less_than_bilinear(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "train" / "a"
    folder.mkdir(parents=True)
    noise = rng.integers(0, 256, (1200, 1600, 3), np.uint8)
    Image.fromarray(noise).save(folder / "1.jpg", quality=95)
    images = contenders.Images(tmp_path, [folder / "1.jpg"])
    rows = quality.measure(images, contenders.recipe(1, 1), (288,))
    of = {row["method"]: row["mean_difference"] for row in rows}
    assert of[quality.DCT] < 0.5 * of["bilinear, not antialiased"]


def test_resident_size_counts_what_is_touched():
    before = memory.resident_megabytes()
    block = np.ones(100_000_000, np.uint8)
    assert memory.resident_megabytes() - before == pytest.approx(100, abs=20)
    del block


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


@needs_docs
def test_the_documentation_shows_one_run():
    figures = json.loads(FIGURES.read_text())
    text = (FIGURES.parent / "PERFORMANCE.md").read_text(encoding="utf-8")
    assert report.markdown(figures) in text
    picture = FIGURES.with_suffix(".png").read_bytes()
    assert pictures.mark(figures).encode() in picture
    figures["rounds"] += 1
    assert report.markdown(figures) not in text


def _main(*words):
    """The command inside this process: seconds less than a new one."""
    benchmark = programs.module("benchmark")
    with flagsaver.flagsaver():
        benchmark.main(benchmark.FLAGS(["benchmark.py", *map(str, words)])[1:])


@needs_docs
def test_earlier_figures_are_shown_again(tmp_path, capsys):
    _main(
        "input",
        f"--figures={FIGURES}",
        f"--json={tmp_path / 'new' / 'x.json'}",
        f"--plot={tmp_path / 'x.png'}",
    )
    figures = json.loads(FIGURES.read_text())
    assert report.markdown(figures) in capsys.readouterr().out
    assert json.loads((tmp_path / "new" / "x.json").read_text()) == figures
    assert Image.open(tmp_path / "x.png").size[0] > 500


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


def test_one_set_from_the_flags_to_the_files(tmp_path, monkeypatch, capsys):
    benchmark = programs.module("benchmarks.input_benchmark")
    one = {"files": 2, "images": 8, "quality_images": 2}
    amounts = dataclasses.replace(
        benchmark.QUICK, **{k: {"500x375": n} for k, n in one.items()}
    )
    monkeypatch.setattr(benchmark, "QUICK", amounts)
    readings = {"imported": 1.0, "opened": 2.0, "streamed": [3.0, 4.0]}
    case = dataclasses.asdict(amounts.memory[0]) | {
        "listing_seconds": 0.5,
        "megabytes": readings,
        "kilobytes_per_1000_images": 7.0,
    }
    # The processes that it starts take seconds each: in the large test.
    monkeypatch.setattr(memory, "measure", lambda *_: [case])
    figures_path, picture = tmp_path / "new" / "input.json", tmp_path / "x.png"
    _main("input", "--quick", f"--json={figures_path}", f"--plot={picture}")
    figures = json.loads(figures_path.read_text())
    assert report.markdown(figures) in capsys.readouterr().out
    assert Image.open(picture).size[0] > 500
    (of_set,) = figures["sets"].values()
    assert (of_set["files"], of_set["images_per_round"]) == (2, 8)
    for part in (of_set, figures["small"]):
        _check_speed(part["speed"])


@pytest.mark.large
def test_the_whole_command_in_small(tmp_path):
    path = tmp_path / "input.json"
    result = subprocess.run(
        [sys.executable, PROGRAM, "input", "--quick", f"--json={path}"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stderr
    assert "oneDNN" not in result.stderr
    figures = json.loads(path.read_text())
    assert report.markdown(figures) in result.stdout
    assert list(figures["sets"]) == list(photographs.SETS)
    for of_set in figures["sets"].values():
        assert list(of_set["speed"]) == list(contenders.CONTENDERS)
        _check_speed(of_set["speed"])
    large = figures["sets"]["12 megapixels"]["quality"]
    assert {row["method"] for row in large} == set(quality.METHODS)
    for case in figures["memory"]:
        readings = case["megabytes"]
        assert len(readings["streamed"]) == case["images"] // case["every"]
        assert min(readings["streamed"]) > readings["imported"] / 2 > 0
    assert figures["memory"][0]["files"] < figures["memory"][1]["files"]


def _check_speed(speed):
    ours = speed["ours"]["cpu_ms"]["median"]
    for row in speed.values():
        for spread in row.values():
            assert 0 < spread["min"] <= spread["max"]
        ratio = row["reference_over_this"]["median"]
        assert ratio == pytest.approx(ours / row["cpu_ms"]["median"])


def test_sets_and_amounts_name_the_same():
    amounts = programs.module("benchmarks.input_benchmark")
    for of_run in (amounts.FULL, amounts.QUICK):
        for field in ("files", "images", "quality_images"):
            assert list(getattr(of_run, field)) == list(photographs.SETS)
        for count in of_run.images.values():
            assert count % of_run.batch_size == 0
    mine = amounts.of_user(amounts.FULL, "some/photos", 100)
    assert mine.images == {"photos": 96}
    assert dataclasses.asdict(mine)["rounds"] == amounts.FULL.rounds
