"""benchmark.py: turns, medians and ratios; peers that do the same work."""

import ast
import functools
import json
import re
import subprocess
import sys
import types

import numpy as np
import programs
import pytest
from absl.testing import flagsaver
from PIL import Image

from keras_resnet import UsageError

PROGRAM = programs.PIPELINES / "benchmark.py"
DOCS = programs.ROOT / "docs"
# {benchmark: (its document, whether a picture is kept)}.
DOCUMENTS = {
    "input": ("PERFORMANCE.md", True),
    "train": ("PERFORMANCE.md", True),
    "own": ("PERFORMANCE.md", False),
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
promises = programs.module("benchmarks.promises")
records = programs.module("benchmarks.records")
photographs = programs.module("benchmarks.photographs")
input_benchmark = programs.module("benchmarks.input_benchmark")
contenders = programs.module("benchmarks.input_contenders")
steps = programs.module("benchmarks.steps")

# Work in processes of their own.

_WORK = """
import os

from benchmarks.steps import repeated

print("a library that prints")


def logged(path, name):
    def step():
        with open(path, "a") as file:
            file.write(name)

    return lambda: repeated(step)


def greedy(megabytes):
    return lambda: repeated(lambda: len(b"1" * (megabytes * 10**6)))


def of_package(package):
    __import__(package)


def killed():
    def steps(count, tick):
        for _ in range(count):
            tick()
        if count > 1:
            os.kill(os.getpid(), 9)

    return lambda: steps


def only_built():
    return lambda: {"of": "JSON"}
"""


@pytest.fixture
def contender(tmp_path, monkeypatch):
    """Makes contenders of a module that their processes can import."""
    (tmp_path / "of_test.py").write_text(_WORK)
    monkeypatch.syspath_prepend(str(tmp_path))

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
    # Each turn has three steps; two of them are timed.
    assert taken[::3] == "abc" + "bca" + "cab" + "abc"
    assert taken == "".join(3 * name for name in taken[::3])
    for rounds in turns.rounds.values():
        assert len(rounds) == 3
        for one in rounds:
            images = one["images_per_second"] * one["step_seconds"]
            assert images == pytest.approx(16)


def test_the_steps_that_warm_up_are_not_timed(monkeypatch):
    spent = {"process_time": 0.0, "perf_counter": 0.0}
    for name in spent:
        monkeypatch.setattr(worker.time, name, lambda name=name: spent[name])

    def costly(count, tick):
        for number in range(count):
            spent["process_time"] += 100 if number == 0 else 2
            spent["perf_counter"] += 100 if number == 0 else 1
            tick()

    for warm_up, cpu, wall in ((1, 6, 3), (0, 104, 102)):
        taken = worker.take(costly, warm_up, 3)
        assert (taken["cpu_seconds"], taken["wall_seconds"]) == (cpu, wall)


def test_a_device_is_waited_for_where_time_is_taken():
    waited, ticks = [], iter(range(100))
    steps.repeated(lambda: next(ticks), waited.append)(4, lambda: None)
    assert waited == [0, 3]


def test_a_process_is_new_and_its_most_memory_is_its_own(contender):
    begun = contender("greedy", megabytes=300).begin()
    # This process, with TensorFlow, holds more.
    assert begun["imported_megabytes"] < 200 < worker.megabytes()
    more = begun["most_megabytes"] - begun["built_megabytes"]
    assert more == pytest.approx(300, abs=30)
    first, build = begun["first_step"], begun["build"]
    assert all(first[clock] >= build[clock] for clock in build)
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
    of = {"x": contender("killed")}
    with pytest.raises(RuntimeError, match="of_test:killed ended .* -9"):
        runner.take_turns(of, rounds=1, steps=1, say=str)


def test_every_contender_names_a_function_and_its_arguments():
    train = programs.module("benchmarks.train_benchmark")
    gpu = programs.module("benchmarks.gpu_benchmark")
    own = programs.module("benchmarks.own_benchmark")
    of = dict.fromkeys(("folder", "image_size", "batch_size", "epochs"))
    types = programs.module("benchmarks.train_types")
    named = [*train.CONTENDERS.values()]
    named += [
        (c.function, c.arguments)
        for network in types.NETWORKS.values()
        for c in types.contenders(network).values()
    ]
    named += [("benchmarks.steps:built", {"name": "resnet20"})]
    named += [
        (f"benchmarks.own_contenders:{name}", of)
        for name, _ in own.CONTENDERS.values()
    ]
    named += [
        (c.function, c.arguments) for c in gpu.contenders(gpu.FULL).values()
    ]
    for contender, arguments in named:
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
        measure.rates({"cpu_seconds": c, "wall_seconds": wall}, 2, images // 2)
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


def test_the_time_is_taken_until_an_accuracy_is_reached():
    own = programs.module("benchmarks.own_benchmark")
    peer, *_ = (name for name in own.CONTENDERS if name != own.OURS)
    accuracies = {
        own.OURS: ([0.3, 0.8, 0.5], [0.7]),
        peer: ([0.1, 0.2, 0.75], [0.6]),  # the last run never reaches it
    }
    runs = {
        name: [
            [
                {"seconds": 10 * n, "cpu_seconds": n, "accuracy": accuracy}
                for n, accuracy in enumerate(of_one, 1)
            ]
            for of_one in several
        ]
        for name, several in accuracies.items()
    }
    rows = own.summarise(runs, 0.7)
    assert rows[own.OURS]["seconds"] == {"median": 15, "min": 10, "max": 20}
    assert rows[peer]["epochs"] == {"median": 3, "min": 3, "max": 3}
    assert (rows[own.OURS]["reached"], rows[peer]["reached"]) == (
        "2 of 2",
        "1 of 2",
    )
    assert rows[peer]["ours_over_this"]["median"] == 2 / 3
    assert rows[peer]["best"]["max"] == 75
    nobody = own.summarise(runs, 0.9)[peer]
    assert nobody["reached"] == "0 of 2" and "seconds" not in nobody


def test_tables_go_between_the_marks_again_and_again(tmp_path):
    path = tmp_path / "x.md"
    marks = "<!-- benchmark input -->\n<!-- end of benchmark input -->"
    path.write_text(f"before\n{marks}\nafter\n")
    for text in ("one", "two"):
        tables.Document(path, "input").replace(text)
        kept = path.read_text()
        assert kept.startswith("before\n") and kept.endswith("\nafter\n")
        assert f"\n\n{text}\n\n" in kept
    assert "one" not in kept
    with pytest.raises(UsageError, match="benchmark train"):
        tables.Document(path, "train")


def _main(*words):
    """Runs the command in this process: a new one takes seconds longer."""
    with flagsaver.flagsaver():
        benchmark.main(benchmark.FLAGS(["benchmark.py", *map(str, words)])[1:])


@pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not beside the tests")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documentation_shows_its_record(name, tmp_path):
    """`benchmark.py NAME --figures=... --markdown=... --plot=...` writes it."""
    document, has_picture = DOCUMENTS[name]
    path, copied = DOCS / f"{name}.json", tmp_path / "new" / "x.json"
    text = (DOCS / document).read_text(encoding="utf-8")
    written, plot = tmp_path / "x.md", tmp_path / "x.png"
    written.write_text(text, encoding="utf-8")
    flags = [f"--markdown={written}", f"--plot={plot}", f"--json={copied}"]
    _main(name, f"--figures={path}", *flags)
    assert written.read_text(encoding="utf-8") == text
    record = json.loads(path.read_text())
    assert json.loads(copied.read_text()) == record
    figures = records.figures(record)
    assert Image.open(plot).size[0] > 500
    for picture in (plot, path.with_suffix(".png"))[: 1 + has_picture]:
        assert pictures.mark(figures).encode() in picture.read_bytes()
    assert pictures.mark({**figures, "more": 1}) != pictures.mark(figures)


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "Name one benchmark"),
        (["inptu"], "Did you mean 'input'"),
        (["input", f"--figures={PROGRAM}"], "a file that --json wrote"),
        (["input", f"--figures={DOCS / 'train.json'}"], "are of 'train'"),
        (["input", f"--json={DOCS}"], "Is a directory"),
        (["input", f"--markdown={PROGRAM}"], "<!-- benchmark input"),
        (["input", "--images=nothing"], "must be a folder with JPEG"),
        (["input", "--images=x", "--images_per_round=3"], "at least a batch"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_measured(words, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        _main(*words)


@pytest.fixture
def tiny(monkeypatch):
    """A benchmark of made-up groups; each counts how often it is measured."""
    counts = {"a/1": 0, "a/2": 0, "b": 0}

    def measured(group):
        counts[group] += 1
        if counts[group] == 1 and group == "a/2":
            raise KeyboardInterrupt  # the run is cut off
        return {"rows": {group: {"n": counts[group]}}, "list": [group]}

    def groups(amounts):
        return {g: functools.partial(measured, g) for g in counts}

    def report(figures):
        bars = {g: measure.spread([r["n"]]) for g, r in figures["rows"].items()}
        bars["computed"] = measure.spread([7])
        words = " ".join(figures["list"])
        return [f"measured: {words}"], [pictures.Panel("title", "n", bars)]

    one = types.SimpleNamespace(PACKAGES=("keras",), groups=groups)
    one.FULL, one.SHORT, one.QUICK = {"n": 1}, {"n": 2}, {"n": (3,)}
    one.report = report
    monkeypatch.setitem(sys.modules, "benchmarks.tiny_benchmark", one)
    monkeypatch.setitem(benchmark.BENCHMARKS, "tiny", ())
    return counts


def test_a_cut_run_keeps_its_groups_and_goes_on_with_what_is_missing(
    tiny, tmp_path, capsys
):
    path, page = tmp_path / "x.json", tmp_path / "x.md"
    page.write_text("<!-- benchmark tiny --><!-- end of benchmark tiny -->")
    command = "tiny", f"--json={path}", f"--markdown={page}"
    with pytest.raises(KeyboardInterrupt):
        _main(*command)
    assert "measured: a/1\n" in page.read_text()
    _main(*command)
    assert tiny == {"a/1": 1, "a/2": 2, "b": 1}
    assert "measured: a/1 a/2 b\n" in page.read_text()
    for flags, counts in (
        (["--groups=b"], (1, 2, 1)),
        (["--groups=a", "--again"], (2, 3, 1)),
        (["--groups=b,a/1", "--again"], (3, 3, 2)),
    ):
        _main(*command, *flags)
        assert tuple(tiny.values()) == counts
    assert "Group b: there already." in capsys.readouterr().out
    for flags, message in (
        (["--groups=a/3"], "Unknown group"),
        (["--short"], "with other amounts"),
    ):
        with pytest.raises(UsageError, match=message):
            _main(*command, *flags)
    (run,) = json.loads(path.read_text())["machines"].values()
    assert all(part["seconds"] >= 0 for part in run["parts"].values())


def test_machines_and_versions_stand_side_by_side(
    tiny, tmp_path, capsys, monkeypatch
):
    path = tmp_path / "x.json"
    command = "tiny", f"--json={path}", "--groups=b"
    machines = [
        {"cpu": "A", "cores": 2, "flags": ["amx_bf16"], "commit": "abc"},
        {"cpu": "A", "cores": 2, "flags": [], "commit": "abc"},
        {"cpu": "A", "cores": 2, "flags": [], "commit": "def"},
    ]
    for of in machines:
        monkeypatch.setattr(measure, "machine", lambda *_, of=of: of)
        _main(*command)
    assert tiny["b"] == 3
    text = capsys.readouterr().out
    assert "### Side by side" in text.rpartition("measured: ")[2]
    assert re.search(r"\| 1 +\| A +\| 2 +\| amx_bf16 .* abc ", text)
    assert re.search(r"\| title +\| b +\| 1 .*\| 2 .*\| 3 ", text)
    # What is equal in all records was computed, not measured.
    assert "computed" not in text
    monkeypatch.setattr(measure, "machine", lambda *_: machines[0])
    _main(*command, "--again")
    last = records.figures(json.loads(path.read_text()))
    assert last["machine"]["flags"] == ["amx_bf16"]


def test_a_cell_is_one_line_and_its_numbers_have_no_exponent():
    three = {"median": 1024.4, "min": 98.76, "max": 2.5e6}
    rows = [{"name": "ours\nover theirs", "of": three, "one": 1e-4}]
    columns = {"a": ("name", ""), "b": ("of", ".3g"), "c": ("one", ".3g")}
    last = tables.of_rows(rows, columns).splitlines()[2]
    assert last == "| ours over theirs | 1,020 (98.8..2,500,000) | 0.0001 |"


def test_figures_without_groups_are_read_as_one_run(tmp_path):
    path = tmp_path / "x.json"
    before = {"benchmark": "own", "machine": {"cpu": "A"}, "runs": {"x": [1]}}
    path.write_text(json.dumps(before))
    record = records.read(path, "own")
    assert records.figures(record) == before
    records.write(path, record)
    assert records.read(path, "own") == record != before


@pytest.mark.parametrize(
    "sign, found, said",
    [
        (">=", {"median": 1.4951}, "met"),
        (">=", {"median": 1.494}, "**missed**"),
        ("<=", 1.504, "met"),
        ("<=", 1.51, "**missed**"),
        (">=", None, "not measured"),
    ],
)
def test_a_promise_is_met_or_missed(sign, found, said, monkeypatch):
    of = promises.Promise("ours over theirs", sign, 1.5, ("speed", "x"))
    monkeypatch.setitem(promises.PROMISES, "tiny", (of,))
    figures = {"benchmark": "tiny", "speed": {"x": found} if found else {}}
    if isinstance(found, dict):
        found |= {"min": 1, "max": 2}
    _, table = promises.table(figures)
    assert f" {said} " in table.splitlines()[-1]
    assert promises.table({"benchmark": "scaling"}) == []


def test_a_promise_of_bfloat16_is_for_processors_that_have_it(monkeypatch):
    of = promises.Promise("ours in bfloat16 over theirs", ">=", 2, ("ratio",))
    monkeypatch.setitem(promises.PROMISES, "tiny", (of,))
    verdicts = [
        promises.table(
            {"benchmark": "tiny", "ratio": 0.5, "machine": {"flags": flags}}
        )[1].splitlines()[-1]
        for flags in (["avx512f"], ["avx512f", "amx_bf16"], ["bf16"], [])
    ]
    lacks = ["no bfloat16" in verdict for verdict in verdicts]
    missed = ["missed" in verdict for verdict in verdicts]
    assert lacks == [True, False, False, False]
    assert missed == [False, True, True, True]


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
    command = [sys.executable, PROGRAM, name]
    options = {"capture_output": True, "text": True, "timeout": 1_800}
    result = subprocess.run([*command, *flags], **options)
    assert result.returncode == 0, result.stderr
    again = subprocess.run([*command, f"--figures={path}"], **options)
    assert again.stdout and again.stdout in result.stdout
    assert Image.open(picture).size[0] > 500
    figures = records.figures(json.loads(path.read_text()))
    for why in figures.get("missing", {}).values():
        assert "No module named" in why
    for spread in _spreads(figures):
        assert 0 < spread["min"] <= spread["max"]
    if name == "scaling":
        # resnet20 with 1000 classes: 269,722 + 990 * 65 parameters.
        assert set(figures["measured"]) == {"1x1", "2x1", "1x2"}
        for found in figures["measured"].values():
            assert found["bytes"] == 4 * (269_722 + 990 * 65)


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
    photograph = np.asarray(originals[labels[0]])[..., 0]
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (32, 32))
    assert (windows == patches[0, ..., 0]).all(axis=(2, 3)).any()
    assert len({patch.tobytes() for patch in patches}) == 64


def _ramp(folder, width, height):
    """A folder with an image that grows brighter to the right and downwards."""
    across = np.linspace(60, 190, width)[np.newaxis].repeat(height, axis=0)
    down = np.linspace(60, 190, height)[:, np.newaxis].repeat(width, axis=1)
    pixels = np.stack([across, down, across], axis=-1).round().astype(np.uint8)
    path = folder / "train" / "ramp" / "1.jpg"
    path.parent.mkdir(parents=True)
    (folder / "validation").mkdir()  # so that nothing is held out
    Image.fromarray(pixels).save(path, quality=98, subsampling="4:4:4")
    return folder


@pytest.mark.parametrize(
    "name", sorted(set(input_benchmark.LARGE) - {input_benchmark.CEILING})
)
def test_every_contender_scales_crops_and_flips(name, tmp_path):
    function, choices = input_benchmark.LARGE[name]
    folder, recipe = _ramp(tmp_path, 500, 375), contenders.recipe(3, 32)
    batches = list(contenders.LARGE[function](folder, recipe, **choices)())
    assert {np.asarray(batch).dtype for batch in batches} == {np.dtype("uint8")}
    crops = np.concatenate(batches).astype(float)
    assert crops.shape == (96, 224, 224, 3)
    # Brightness per pixel, which falls as the scale grows.
    place = np.arange(224) - 111.5
    slope = (crops[..., 0].mean(axis=1) @ place) / (place @ place)
    scale = (130 / 500) * 375 / abs(slope)
    assert 250 < scale.min() < 275
    assert 460 < scale.max() < 487
    if name == input_benchmark.KNOWN:
        assert np.all(slope < 0)  # all are flipped
    else:
        assert 0.3 < np.mean(slope > 0) < 0.7
    if choices.get("augmentation"):
        return  # changed colours hide the brightness that tells the centre
    # The centre of a crop lies where a window of 224 / scale fits.
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
    # Their red tells where a window begins; the smallest one has scale 480.
    room = width - 224 * min(width, height) / 480
    assert 58 <= corners.min() < corners.max() <= 62 + 130 * room / width


def test_contenders_make_the_same_number_or_are_refused():
    for name in input_benchmark.SMALL.values():
        ticks = []
        contenders.small(name, 300, 256)()(2, lambda: ticks.append(1))
        assert len(ticks) == 2
    less = contenders.passes(lambda: iter([range(6), range(3)]), 10)
    with pytest.raises(RuntimeError, match="9 images were made, not 10"):
        less(1, lambda: None)


def test_rounds_are_whole_batches_of_known_sets():
    for amounts in (input_benchmark.FULL, input_benchmark.QUICK):
        assert list(amounts["sets"]) == list(photographs.SETS)
        for of_set in amounts["sets"].values():
            assert of_set["images"] % amounts["batch_size"] == 0
    mine = input_benchmark.of_user(input_benchmark.FULL, "some/photos", 100)
    assert mine["sets"] == {"photos": {"images": 96}}
