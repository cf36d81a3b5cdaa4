"""Starts the workers of a run on one machine, and again when one dies.

    keras-resnet launch --workers=2 -- \\
        keras-resnet train --strategy=multi_worker --recipe=digits

Each worker is a process with a TF_CONFIG of its own; its lines are labelled.
Of several machines Kubernetes or Slurm does this: docs/CLUSTERS.md.

When a worker fails, the others are told to end (SIGTERM, after 30 s SIGKILL),
and all are started again: a worker alone cannot join a running job. There are
`--max_restarts` without a newer checkpoint in between, each after twice the
pause of the one before; the checkpoints are those of the command's --workdir.
Status 2, a user's error, is final. SIGINT and SIGTERM are passed on, and the
job ends with the workers' status: 130, or 75 for "run me again".
"""

import pathlib

from absl import flags

from keras_resnet.errors import require
from keras_resnet.training import launcher

FLAGS = flags.FLAGS
flags.DEFINE_integer("workers", 2, "How many processes.", lower_bound=1)
flags.DEFINE_integer(
    "max_restarts",
    3,
    "How often to start again without a newer checkpoint in between.",
    lower_bound=0,
)
flags.DEFINE_float(
    "pause", 1.0, "Seconds before the first restart.", lower_bound=0
)


def main(args):
    require(
        args,
        "Name the command after --, as in: keras-resnet launch --workers=2 -- "
        "keras-resnet train --strategy=multi_worker",
    )
    with launcher.Signals() as signals:
        return _supervise(args, signals)


def _supervise(command, signals):
    """Restarts the job until it is done or hopeless; returns its status."""
    restarts, before = 0, _newest_checkpoint(command)
    while True:
        status = launcher.run(command, FLAGS.workers, signals)
        if status in (0, launcher.USER_ERROR) or signals.received:
            return status
        now = _newest_checkpoint(command)
        restarts, before = (restarts if now == before else 0), now
        if restarts == FLAGS.max_restarts:
            launcher.say(
                f"Failed {restarts + 1} times after {now or 'no checkpoint'}: "
                "giving up (--max_restarts)."
            )
            return status
        pause = FLAGS.pause * 2**restarts
        restarts += 1
        launcher.say(
            f"Starting all workers again in {pause:g} s, from "
            f"{now or 'the beginning'} (restart {restarts} of "
            f"{FLAGS.max_restarts} from there)."
        )
        signals.sleep(pause)
        if signals.received:
            return 128 + signals.received[-1]


def _newest_checkpoint(command):
    """Name of the newest in the command's --workdir; None if there is none."""
    for word, after in zip(command, [*command[1:], ""], strict=True):
        name, _, value = word.lstrip("-").partition("=")
        if name == "workdir" and word.startswith("-"):
            folder = pathlib.Path(value or after, "checkpoints")
            names = sorted(path.name for path in folder.glob("step-*"))
            return names[-1] if names else None
    return None
