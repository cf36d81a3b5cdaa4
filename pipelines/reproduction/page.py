"""A page with the curves of every run to choose from; it needs no server.

It uses the standard library alone: nothing else is installed where the
documentation's site is built.
"""

import json
import pathlib

PLAYER = pathlib.Path(__file__).with_name("page.html")
DATA = "/* the runs */ []"
DOCUMENT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Curves of every run</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
    max-width: 960px; padding: 16px; }}
</style>
<h1>Curves of every run</h1>
<p>Bold lines are test errors, thin ones training errors. Choose a table, then
rows, rates and seeds.</p>
{player}</html>
"""


def runs(named):
    """list of dict: every run that has a curve.

    Args:
        named: {experiment: its records}.
    """
    return [
        _run(name, record)
        for name, records in named.items()
        for record in records
        if record["result"].get("curve", {}).get("step")
    ]


def _run(name, record):
    curve = record["result"]["curve"]
    return {
        "experiment": name,
        "group": f"{record['scale']}, {record['dataset']}",
        "row": record["row"],
        "rate": record["recipe"]["learning_rate"],
        "seed": record["seed"],
        "status": record["status"],
        "step": curve["step"],
        "training": _percents(curve["train_error"]),
        "test": _percents(curve["test_error"]),
    }


def _percents(errors):
    return [round(100 * error, 2) for error in errors]


def player(named):
    """HTML of the curves, to embed in a page; arguments as `runs`."""
    # Nothing in a record may end the script.
    data = json.dumps(runs(named)).replace("</", "<\\/")
    return PLAYER.read_text(encoding="utf-8").replace(DATA, data)


def document(named):
    """The player as a page of its own; arguments as `runs`."""
    return DOCUMENT.format(player=player(named))
