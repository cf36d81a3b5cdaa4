"""The list of what both papers show is complete, and says what was run."""

import re

import programs  # noqa: F401  pipelines/ on the path
import pytest

from keras_resnet import VARIANTS

experiments = programs.module("reproduction.experiments")
jobs = programs.module("reproduction.jobs")
places = programs.module("reproduction.places")
results = programs.module("reproduction.results")

# What each paper numbers: P1 has Tables 1 to 14 and Figs. 1 to 7.
NUMBERED = {"P1 Table": 14, "P1 Fig.": 7, "P2 Table": 5, "P2 Fig.": 6}


@pytest.mark.parametrize(("kind", "last"), NUMBERED.items())
def test_each_table_and_figure_is_named_once(kind, last):
    found = []
    for name in places.PLACES:
        if name.startswith(kind):
            first, *rest = map(int, re.findall(r"\d+", name[2:]))
            found += range(first, rest[-1] + 1) if rest else [first]
    assert sorted(found) == list(range(1, last + 1))


def test_each_says_what_there_is():
    for name, place in places.PLACES.items():
        assert place.experiments or place.instead, name
        assert set(place.experiments) <= set(experiments.EXPERIMENTS), name
        for variant in re.findall(r"--variant=(\w+)", place.instead):
            assert variant in VARIANTS, name


def test_a_row_counts_at_all_its_rates(tmp_path):
    def line():
        return next(
            line
            for line in places.listing({"shortcuts": kept.records()})
            if line.startswith("P2 Table 1,")
        )

    shortcuts = experiments.EXPERIMENTS["shortcuts"]
    kept = results.Results(tmp_path, "shortcuts")
    assert "quick not run, rates not run, full not run" in line()
    *first, last = jobs.make(
        "shortcuts",
        shortcuts,
        "rates",
        rows=["identity"],
        seeds=[0],
        workdir=tmp_path,
    )
    assert len(first) == 3
    for job in first:
        kept.add(job, {"status": "finished", "result": {}})
    assert "rates not run" in line()
    kept.add(last, {"status": "finished", "result": {}})
    assert "quick not run, rates digits 1 of 12 rows, full not run" in line()
