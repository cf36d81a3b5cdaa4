"""A survey finds what is there, and says why a file is unreadable."""

import collections
import dataclasses
import os

import numpy as np
import odd_images

from keras_resnet.data import datasets
from keras_resnet.data.survey import inspection
from keras_resnet.data.survey import inspection_report

READABLE = odd_images.readable()
UNREADABLE = odd_images.unreadable()


def _train(root):
    return datasets.load(f"folder:{root}", "train")


def test_seen_and_unreadable_are_all_that_is_there(dirty):
    split = _train(dirty)
    found = inspection.survey(split)
    assert found.num_readable == odd_images.NUM_READABLE
    reasons = {
        os.path.basename(split.describe(index)): reason
        for index, reason in found.unreadable
    }
    assert set(reasons) == odd_images.UNREADABLE_NAMES
    for name, reason in reasons.items():
        assert UNREADABLE.get(name, (None, "No such file"))[1] in reason
    assert found.num_readable + len(reasons) == split.num_examples
    # Unreadable files count too.
    counts = dict(zip(split.class_names, found.class_counts, strict=True))
    odd = len(READABLE) + len(reasons)
    assert counts == {"empty": 0, "odd": odd, "plain": 1}


def test_sizes_and_notes_are_those_of_the_files(clean):
    split = _train(clean)
    found = inspection.survey(split)
    sizes = collections.Counter(zip(found.widths, found.heights, strict=True))
    assert sizes == {(60, 40): len(READABLE), (1, 40): 1}
    assert sum(found.file_bytes) == sum(
        os.path.getsize(split.describe(i)) for i in range(split.num_examples)
    )
    expected = collections.Counter(
        note for _, notes in READABLE.values() for note in notes
    )
    assert {note: n for note, (n, _) in found.notes.items()} == expected
    for note, (_, index) in found.notes.items():
        name = os.path.basename(split.describe(index))
        assert note in READABLE[name][1]


def test_pixels_without_files_are_surveyed_too():
    found = inspection.survey(datasets.load("digits", "validation"))
    assert found.num_readable == 359 and not found.unreadable
    assert set(found.widths) == set(found.heights) == {8}
    assert found.class_counts.sum() == 359


def test_a_label_out_of_range_is_unreadable_and_named():
    split = datasets.load("digits", "validation")
    few = dataclasses.replace(split, class_names=split.class_names[:9])
    found = inspection.survey(few)
    nines = np.flatnonzero(split.labels == 9)
    assert [index for index, _ in found.unreadable] == list(nines)
    assert "label 9 is not one of the 9 classes" in found.unreadable[0][1]


def test_the_report_names_empty_classes_and_the_first_unreadable(dirty):
    text = inspection_report.lines(
        inspection.survey(_train(dirty)), exif="apply", listed=3
    )
    text = "\n".join(text)
    assert "least 0 (empty)" in text and "1 empty: empty" in text
    assert "bomb.png: its header says 65000 x 65000 pixels" in text
    assert f"and {len(UNREADABLE) + 1 - 3} more" in text
    assert "; here exif=apply (odd/rotated.jpg)" in text
