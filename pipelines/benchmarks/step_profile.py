"""Where the time of our training step goes, by TensorFlow's own profiler."""

import collections
import pathlib
import re
import tempfile

# What an operation is for, by "name:type"; the first that matches counts.
KINDS = {
    "convolutions, forward": r":\w*Conv2D$",
    "convolutions, gradients by the kernels": r":\w*Conv2DBackpropFilter\w*$",
    "convolutions, gradients by the images": r":\w*Conv2DBackpropInput\w*$",
    "optimiser": r"^(.*/)?sgd/",
    "batch normalisation": r"(^|/|_)bn\d*(_\d+)?/|FusedBatchNorm",
    "ReLU": r":_?\w*Relu\w*$",
    "sums of branches and of gradients": r":Add(N|V2)?$",
    "copies: padding, tiling, transposes": (
        r":\w*(Pad|Slice|Tile|Concat|Transpose|Copy|ToTf|Identity)\w*$"
    ),
    "scheduling": r"Executor|Threadpool|PartitionedCall",
    "other": r"",
}
# Of the threads that run operations. Their helpers' share is theirs too: they
# wait for it.
THREADS = "tf_Compute"


def measure(arguments, steps):
    """A contender that is only built: where the time of some steps goes.

    Args:
        arguments: of `keras_steps.ours`.
        steps: int >= 1.

    Returns:
        Function () -> {kind: {"milliseconds": of a step, "operations": of a
        step}}.
    """
    from benchmarks import keras_steps

    def build():
        train = keras_steps.ours(**arguments)()
        train(2, lambda: None)
        space = record(lambda: train(steps, lambda: None))
        return by_kind(operations(space), steps)

    return build


def record(call):
    """The XSpace message of TensorFlow's profiler on a call."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        call()
        tf.profiler.experimental.stop()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        return xplane_pb2.XSpace.FromString(path.read_bytes())


def operations(space):
    """(name:type, milliseconds without what is nested in it) of each event.

    Args:
        space: of `record`.
    """
    for plane in space.planes:
        for line in plane.lines:
            if line.name.startswith(THREADS):
                events = [
                    (
                        event.offset_ps / 1e9,
                        event.duration_ps / 1e9,
                        plane.event_metadata[event.metadata_id].name,
                    )
                    for event in line.events
                ]
                yield from own_times(events)


def own_times(events):
    """Takes from each event's time that of the events inside it.

    Args:
        events: (start, duration, name) of one thread.

    Returns:
        list of (name, own time).
    """
    # A longer event that starts at the same time holds the shorter one.
    events = sorted(events, key=lambda event: (event[0], -event[1]))
    own, around = [duration for _, duration, _ in events], []
    for number, (start, duration, _) in enumerate(events):
        while around and start >= sum(events[around[-1]][:2]):
            around.pop()
        if around:
            own[around[-1]] -= duration
        around.append(number)
    names = [name for _, _, name in events]
    return list(zip(names, own, strict=True))


def by_kind(timed, steps):
    """Sums of `operations` by `KINDS`, for one of `steps` steps."""
    milliseconds, counts = collections.Counter(), collections.Counter()
    for name, duration in timed:
        kind = next(k for k, form in KINDS.items() if re.search(form, name))
        milliseconds[kind] += duration
        counts[kind] += 1
    return {
        kind: {
            "milliseconds": milliseconds[kind] / steps,
            "operations": counts[kind] / steps,
        }
        for kind in KINDS
    }
