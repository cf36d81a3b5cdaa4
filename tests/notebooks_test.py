"""The notebooks of docs/ run from their first cell to their last."""

import json

import programs
import pytest

NOTEBOOKS = sorted((programs.ROOT / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks_that_show_what_they_gave():
    assert len(NOTEBOOKS) >= 2
    for path in NOTEBOOKS:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        shown = [cell for cell in cells if cell.get("outputs")]
        assert len(shown) >= 4, path.name
        kinds = {o["output_type"] for cell in shown for o in cell["outputs"]}
        assert "error" not in kinds
        assert "google.colab" in "".join(cells[1]["source"])


@pytest.mark.large
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(programs.ROOT))
    where = {"metadata": {"path": str(tmp_path)}}
    notebook = nbformat.read(path, 4)
    nbclient.NotebookClient(notebook, timeout=600, resources=where).execute()
