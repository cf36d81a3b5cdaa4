"""Checkpoints: the newest whole one comes back, exactly, or none."""

import json
import shutil

from soaking import lives
from soaking import mutations
from soaking import whole
from soaking.verdict import check

STEPS = ("step-00000002", "step-00000004", "step-00000006")


def make(folder):
    """Checkpoints of a run on two devices, so that they have statistics."""
    flags = lives.CONFIGURATIONS["two_devices"].flags
    lives.train(*flags, f"--workdir={folder}/run", "--keep_checkpoints=9")
    for path in (folder / "run" / "checkpoints").iterdir():
        if path.name in STEPS:
            shutil.move(path, folder / path.name)
    shutil.rmtree(folder / "run")


class Corpus:
    """The checkpoints: their files, and variables to restore them into."""

    def __init__(self, folder):
        import tensorflow as tf

        from keras_resnet.training.engines import tensorflow_variables

        self.files = whole.read(folder)
        self.values = {step: _values(folder / step) for step in STEPS}
        self.variables = tensorflow_variables.Variables(
            (name, tf.Variable(tf.zeros_like(value)))
            for name, value in self.values[STEPS[-1]].items()
        )


load = Corpus


def _values(path):
    """{path of a variable: array}, by TensorFlow's reader alone."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path / "variables"))
    return {
        name.split("/")[1].replace(".S", "/").replace("..", "."): (
            reader.get_tensor(name)
        )
        for name in reader.get_variable_to_shape_map()
        if name.startswith("variables/")
    }


def mutate(corpus, rng):
    """{"files", "what"}: one to three checkpoints are damaged."""
    contents, what = dict(corpus.files), []
    for step in STEPS[-rng.choice((1, 1, 1, 2, 3)) :]:
        name = rng.choice([n for n in corpus.files if n.startswith(step)])
        what.append(f"{_damage(contents, name, corpus, rng)} of {name}")
    return {"files": contents, "what": "; ".join(what)}


def _damage(contents, name, corpus, rng):
    how = rng.random()
    if how < 0.1:
        del contents[name]
        return "deletion"
    if how < 0.2:  # the same file of another checkpoint
        other = rng.choice([s for s in STEPS if not name.startswith(s)])
        contents[name] = corpus.files[f"{other}/{name.partition('/')[2]}"]
        return f"that of {other} in place"
    is_json = name.endswith(".json") and how < 0.7
    change = mutations.mutated_json if is_json else mutations.mutated
    contents[name], how = change(contents[name], rng)
    return how


def judge(corpus, case, folder):
    """Restores, and compares every variable with the whole checkpoint's."""
    import numpy as np

    from keras_resnet.training.checkpoints import folder as checkpoints

    intact = [step for step in STEPS if _is_whole(corpus, case["files"], step)]
    for variable in corpus.variables.values():
        variable.assign(np.full(variable.shape, 3, variable.dtype.name))
    state, _, damaged = checkpoints.restore(folder, corpus.variables)
    check(intact, f"restored {state and state.get('step')}, all are damaged")
    check(state is not None, "found no checkpoint")
    newest = int(intact[-1].partition("-")[2])
    check(
        state["step"] == newest,
        f"restored step {state['step']}, the newest whole is {newest}",
    )
    # A checkpoint that lost all its files has no directory to complain of.
    present = {name.partition("/")[0] for name in case["files"]}
    newer = [s for s in STEPS if s > intact[-1] and s in present]
    check(len(damaged) == len(newer), f"{len(damaged)} messages of {newer}")
    for name, value in corpus.values[intact[-1]].items():
        same = np.array_equal(corpus.variables[name].numpy(), value)
        check(same, f"{name} is not that of step {newest}")


def _is_whole(corpus, contents, step):
    """Whether all its files are as written; JSON may be spaced otherwise."""
    return all(
        _meaning(name, contents.get(name)) == _meaning(name, data)
        for name, data in corpus.files.items()
        if name.startswith(step)
    )


def _meaning(name, data):
    if data is None or not name.endswith(".json"):
        return data
    try:
        return json.dumps(json.loads(data))
    except ValueError:
        return data
