"""Hurts the project for hours and counts what comes of it.

    python pipelines/soak.py --kills=1000 --inputs=10000 --seed=1
    python pipelines/soak.py --kind=images --seed=1 --case=17

Inputs are damaged files of every kind that is read, wrong recipes, and
requests to the server of a page; kills are SIGKILLs of training runs at random
moments, each followed by a resume. A case ends right, refused in one line or
as a fault, which the last command runs again alone (its files are kept in
WORKDIR/seed-SEED/faults). docs/RELIABILITY.md says what is right.

Stopped, the same command goes on. Counts go into docs/results/soak.json, and
the table made of them into docs/RELIABILITY.md, as it goes.

Exit status: 0, or 1 if there were faults.
"""

import pathlib
import sys
import time

import _app
from absl import flags
from benchmarks.tables import Document
from soaking import campaign as campaign_lib
from soaking import kinds
from soaking import results
from soaking import verdict

from keras_resnet.errors import lookup
from keras_resnet.errors import require

FLAGS = flags.FLAGS
DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"

flags.DEFINE_integer("kills", 1000, "How many kills.", lower_bound=0)
flags.DEFINE_integer("inputs", 10_000, "How many inputs.", lower_bound=0)
flags.DEFINE_integer("seed", 0, "Decides all cases.", lower_bound=0)
flags.DEFINE_string(
    "kind", None, f"With --case: {', '.join((*kinds.KINDS, kinds.KILLS))}."
)
flags.DEFINE_integer(
    "case", None, "With --kind: the one case to run.", lower_bound=0
)
flags.DEFINE_string("workdir", "runs/soak", "Directory of all campaigns.")
flags.DEFINE_string("docs_dir", str(DOCS), "Where counts and table go.")


def main(args):
    _app.no_arguments(args)
    require(
        (FLAGS.kind is None) == (FLAGS.case is None),
        "--kind and --case go together: they name one case. "
        f"Received: --kind={FLAGS.kind} --case={FLAGS.case}.",
    )
    campaign = campaign_lib.Campaign(FLAGS.workdir, FLAGS.seed)
    with campaign.alone():
        if FLAGS.kind is not None:
            return _one(campaign)
        try:
            return _all(campaign)
        except KeyboardInterrupt:
            print("Stopped. The same command goes on.")
            return 130


def _one(campaign):
    lookup(dict.fromkeys((*kinds.KINDS, kinds.KILLS)), FLAGS.kind, "kind")
    if FLAGS.kind == kinds.KILLS:
        record = campaign.kill(FLAGS.case)
    else:
        (record,) = campaign.inputs(FLAGS.kind, [FLAGS.case])
    for name, value in record.items():
        print(f"{name:<6}{value}")
    return int(record["end"] == verdict.FAULT)


def _all(campaign):
    docs, begin = pathlib.Path(FLAGS.docs_dir), time.monotonic()
    document = docs / "RELIABILITY.md"
    Document(document, "soak")  # refuses it now, not after hours of work

    def each(book):
        new = results.rows(FLAGS.seed, book.records)
        rows = results.merge(docs / "results" / "soak.json", new)
        Document(document, "soak").replace(results.markdown(rows))
        print(f"{time.monotonic() - begin:7.0f} s  {_progress(book)}")
        sys.stdout.flush()

    campaign.run(
        results.session(),
        inputs=FLAGS.inputs,
        kill_count=FLAGS.kills,
        each=each,
    )
    return 0


def _progress(book):
    records = [record for _, record in book.records]
    faults = sum(record["end"] == verdict.FAULT for record in records)
    inputs = sum(record["kind"] != kinds.KILLS for record in records)
    return f"{inputs:,} inputs, {book.kills():,} kills, {faults:,} faults"


if __name__ == "__main__":
    _app.run(main)
