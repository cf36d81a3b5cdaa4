"""Which tests reach which files."""

import pytest
import sources


def _names(*paths):
    return [path.name for path in sources.tests_for(paths)]


def test_a_file_is_reached_by_imports_and_by_helpers():
    names = _names("keras_resnet/recipes/schedules.py")
    assert {"schedules_test.py", "own_rows_test.py"} <= set(names)
    assert "fold_test.py" not in names
    # Through tests/support/own_network.py.
    assert "own_operations_test.py" in _names(
        "keras_resnet/networks/shortcuts.py"
    )


def test_a_folder_is_reached_by_its_mirror():
    names = _names("keras_resnet/export", "keras_resnet/files.py")
    assert {"fold_test.py", "own_format_test.py"} <= set(names)
    assert "schedules_test.py" not in names
    assert _names("tests/recipes/schedules_test.py") == ["schedules_test.py"]


@pytest.mark.parametrize("path", ["keras_resnet/no_such.py", "CITATION.cff"])
def test_what_no_test_reaches_is_refused(path):
    with pytest.raises(SystemExit, match=f"ERROR: .*{path}"):
        sources.tests_for([path])
