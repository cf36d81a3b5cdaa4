"""Files that would take all memory or time end in one line, early."""

import attacks
import pytest

# {attack: (how the line begins, words in it)}. For an image the line has the
# answers of both readers. A twin without the attack is read.
ENDS = {
    "gif: a frame larger than its screen": ("", "exceeds limit of", "; A GIF"),
    "gif: many large frames behind a small one": ("Invalid GIF", "; Invalid"),
    "jpeg: 5,000 scans": ("it has 5,000 scans", "; A JPEG of too many scans"),
    "jpeg: 5,000 scans of a crop": ("InvalidArgument", "too many scans"),
    "jpeg: 30 scans": ("None; (100, 100, 3)",),
    "jpeg: 5,000 scans that are a comment": ("None; (100, 100, 3)",),
    "record: claims 3 GB": ("UsageError: Record 0", "claims 3,221,225,472"),
    "record: claims 2**63 bytes": ("UsageError: Record 0", "claims 9,223,372"),
    "record: a sparse file": ("UsageError: The length of record 0",),
    "record: a pipe": ("UsageError: Cannot read", "it is a pipe"),
    "record: a device": ("UsageError: Cannot read", "it is a device"),
    "record: a good one": ("1",),
    "record: labels of 48 MB": ("UsageError: Cannot read", "16,777,216 bytes"),
    "card: labels of 2 GB": ("UsageError: Cannot read", "16,777,216 bytes"),
    "card: nested": ("UsageError", "nested too deep"),
    "card: a good one": ("('a', 'b')",),
    "tflite: labels of 100 MB": ("UsageError: The labels.txt", "16,777,216"),
    "tflite: labels by LZMA": ("UsageError", "neither stored nor deflated"),
    "tflite: good labels": ("('a', 'b')",),
    "table: a pipe": ("UsageError: Cannot read", "it is a pipe"),
    "table: a line of 2 GB": ("UsageError: Cannot read",),
    "manifest: a pipe": ("UsageError: Cannot read the manifest", "a pipe"),
    "manifest: nested": ("UsageError", "is not a manifest"),
    "export: a manifest of 2 GB": ("UsageError", "more than 16,777,216 bytes"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return attacks.outcomes(tmp_path_factory.mktemp("attacks"))


def test_every_attack_has_an_end(outcomes):
    assert outcomes.keys() == ENDS.keys()


@pytest.mark.parametrize("attack", ENDS)
def test_an_attack_ends_in_one_line_and_its_twin_is_read(attack, outcomes):
    begin, *words = ENDS[attack]
    assert outcomes[attack].startswith(begin), outcomes[attack]
    assert all(word in outcomes[attack] for word in words), outcomes[attack]
    assert "\n" not in outcomes[attack]
