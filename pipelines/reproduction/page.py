"""A page of the curves of every run: one file, which needs no server."""

import json
import pathlib

from reproduction import results as results_lib
from reproduction.experiments import EXPERIMENTS

from keras_resnet import files

TEMPLATE = pathlib.Path(__file__).with_name("page.html")
DATA = "/* the runs */ []"


def runs(folder):
    """list of dict: every run of the records in a folder that has a curve."""
    found = []
    for name in EXPERIMENTS:
        for record in results_lib.Results(folder, name).records():
            curve = record["result"].get("curve", {})
            if not curve.get("step"):
                continue
            found.append(
                {
                    "experiment": name,
                    "group": f"{record['scale']}, {record['dataset']}",
                    "row": record["row"],
                    "rate": record["recipe"]["learning_rate"],
                    "seed": record["seed"],
                    "status": record["status"],
                    "step": curve["step"],
                    "train": _percents(curve["train_error"]),
                    "test": _percents(curve["test_error"]),
                }
            )
    return found


def _percents(errors):
    return [round(100 * error, 2) for error in errors]


def write(folder, path):
    """Writes the page of the records in a folder."""
    # Nothing in a record may end the script.
    data = json.dumps(runs(folder)).replace("</", "<\\/")
    text = TEMPLATE.read_text(encoding="utf-8")
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, text.replace(DATA, data))
