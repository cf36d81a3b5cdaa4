"""Which machines a run has: from TF_CONFIG or from Slurm's environment.

TF_CONFIG  JSON, {"cluster": {"worker": ["host:port", ...]}, "task":
    {"type": "worker", "index": 0}}. Kubeflow's TFJob and Vertex AI set it;
    a "chief" or "master" goes before the workers.
Slurm      SLURM_PROCID and the others of a step that srun started, one
    task a worker. TensorFlow's own SlurmClusterResolver sorts hosts by
    name, so that n10 comes before n9 and ranks answer at other machines'
    addresses; and it needs nvidia-smi.
"""

import dataclasses
import json
import os
import re

from keras_resnet.errors import UsageError
from keras_resnet.errors import require

# The jobs in the order in which their tasks become workers 0, 1, ...
_JOBS = ("chief", "master", "worker")
# Environment variable, the same for all workers: whoever meets them must know
# its value.
TOKEN = "KERAS_RESNET_JOB_TOKEN"
# Ports of Slurm's jobs: below the kernel's own range, which starts at 32768,
# and spread so that two jobs on a machine seldom collide.
_FIRST_PORT, _JOBS_APART, _TASKS_APART = 20_000, 700, 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cluster:
    """All workers of a run, as one of them sees it.

    Attributes:
        addresses: tuple of "host:port", one for each worker; worker 0 is the
            chief.
        index: which of them this process is.
        token: a secret that all workers share, or "": see `TOKEN`.

    Raises:
        keras_resnet.UsageError: if they cannot be a cluster.
    """

    addresses: tuple[str, ...]
    index: int
    token: str = dataclasses.field(default="", repr=False)

    def __post_init__(self):
        require(self.addresses, "A cluster needs at least one worker.")
        for address in self.addresses:
            require(
                re.fullmatch(r".+:\d+", str(address))
                and 0 < int(address.rpartition(":")[2]) < 65536,
                "A worker's address is host:port, with a port from 1 to "
                f"65535. Received: {address!r}.",
            )
        twice = {a for a in self.addresses if self.addresses.count(a) > 1}
        require(
            not twice,
            "Each worker needs an address of its own. More than once: "
            f"{', '.join(sorted(twice))}.",
        )
        require(
            0 <= self.index < len(self.addresses),
            f"There are {len(self.addresses)} workers, counted from 0. "
            f"Received: index {self.index}.",
        )


def from_environment(environment=None):
    """The cluster that this process belongs to.

    Args:
        environment: dict. Default: the process' own.

    Raises:
        keras_resnet.UsageError: if there is none, or it cannot work.
    """
    environment = os.environ if environment is None else environment
    token = environment.get(TOKEN, "")
    if environment.get("TF_CONFIG"):
        found = _from_tf_config(environment["TF_CONFIG"])
        return dataclasses.replace(found, token=token)
    if "SLURM_PROCID" in environment:
        return dataclasses.replace(_from_slurm(environment), token=token)
    raise UsageError(
        "--strategy=multi_worker needs to know the workers, and neither "
        "TF_CONFIG nor SLURM_PROCID is set. Start it with keras-resnet launch "
        "on one machine, with srun, or as docs/CLUSTERS.md shows; on one "
        "machine --strategy=mirrored uses all GPUs."
    )


def _from_tf_config(text):
    try:
        config = json.loads(text)
        jobs = {job: list(tasks) for job, tasks in config["cluster"].items()}
        task, index = config["task"]["type"], int(config["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            'TF_CONFIG must be JSON as {"cluster": {"worker": ["host:port", '
            '...]}, "task": {"type": "worker", "index": 0}}. '
            f"{type(error).__name__}: {error}. Received: {text}"
        ) from error
    others = sorted(({task} | {j for j in jobs if jobs[j]}) - set(_JOBS))
    require(
        not others,
        f"TF_CONFIG names {', '.join(others)}; this program has workers only, "
        f"and evaluates on them. Take {' and '.join(_JOBS)} out of which you "
        "need, and no parameter servers or evaluators.",
    )
    require(
        0 <= index < len(jobs.get(task, ())),
        f"TF_CONFIG's task is {task} {index}, but its cluster has "
        f"{len(jobs.get(task, ()))} of that type, counted from 0.",
    )
    earlier = _JOBS[: _JOBS.index(task)]
    before = sum(len(jobs.get(job, ())) for job in earlier)
    addresses = [a for job in _JOBS for a in jobs.get(job, ())]
    return Cluster(addresses=tuple(addresses), index=before + index)


def _from_slurm(environment):
    hosts = expand_hosts(_read(environment, "NODELIST"))
    tasks = _expand_tasks(_read(environment, "TASKS_PER_NODE"))
    require(
        len(hosts) == len(tasks) and max(tasks) <= _TASKS_APART,
        f"Slurm gives {len(hosts)} machines and tasks for {len(tasks)}; at "
        f"most {_TASKS_APART} on each. Received: {hosts} and {tasks}.",
    )
    places = [(node, i) for node, n in enumerate(tasks) for i in range(n)]
    index = _number(environment, "SLURM_PROCID")
    require(
        index < len(places),
        f"Slurm's machines have {len(places)} tasks, but SLURM_PROCID is "
        f"{index}, counted from 0.",
    )
    own = zip(("SLURM_NODEID", "SLURM_LOCALID"), places[index], strict=True)
    require(
        all(_number(environment, n) == i for n, i in own if n in environment),
        "Slurm dealt the tasks to the machines in turns. Pass "
        "--distribution=block to srun.",
    )
    job = _number(environment, "SLURM_JOB_ID")
    port = _FIRST_PORT + job % _JOBS_APART * _TASKS_APART
    return Cluster(
        addresses=tuple(f"{hosts[node]}:{port + i}" for node, i in places),
        index=index,
    )


def _read(environment, what):
    """A variable of the step that srun started, or of the whole job."""
    names = [f"SLURM_STEP_{what}", f"SLURM_JOB_{what}", f"SLURM_{what}"]
    found = [environment[name] for name in names if name in environment]
    require(
        found,
        f"SLURM_PROCID is set, {' and '.join(names)} are not. Start the "
        "workers with srun.",
    )
    return found[0]


def _number(environment, name):
    text = environment.get(name)
    require(
        re.fullmatch(r"\d+", str(text)),
        f"{name} must be a number. Received: {text!r}.",
    )
    return int(text)


def expand_hosts(text):
    """Slurm's short form of host names: n[8-10],m5 -> n8 n9 n10 m5.

    Args:
        text: as in SLURM_STEP_NODELIST. A name may have several brackets;
            numbers keep their leading zeros.

    Returns:
        list of names.

    Raises:
        keras_resnet.UsageError: if it is no such list.
    """
    if not re.fullmatch(r"(?:[^\[\],\s]|\[[\d,-]+\]|,(?=[^,\s]))+", text):
        raise UsageError(
            f"A Slurm list of hosts is as n[01-03,7],m5. Received: {text!r}."
        )
    names = re.findall(r"(?:\[[^\]]*\]|[^,\[])+", text)
    return [host for name in names for host in _expand_name(name)]


def _expand_name(name):
    found = re.fullmatch(r"([^\[]*)\[([^\]]*)\](.*)", name)
    if not found:
        return [name]
    before, ranges, after = found.groups()
    return [
        f"{before}{number:0{len(first)}}{host}"
        for part in ranges.split(",")
        for first, _, last in [part.partition("-")]
        for number in range(int(first), int(last or first) + 1)
        for host in _expand_name(after)
    ]


def _expand_tasks(text):
    """Tasks of each machine: 2(x3),1 -> 2 2 2 1."""
    tasks = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        require(found, f"Slurm's tasks are as 2(x3),1. Received: {text!r}.")
        tasks += [int(found[1])] * int(found[2] or 1)
    return tasks
