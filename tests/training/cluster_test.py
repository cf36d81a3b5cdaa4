"""A run's workers, read from the environment, and what is not accepted."""

import json
import pathlib
import re
import shlex
import subprocess

import programs
import pytest

from keras_resnet import errors
from keras_resnet.training import cluster

NO_HOSTS = ("", "n[1-", "n[a-b]", "n1,,n2", "n1 n2")
DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "clusters"


def _config(jobs, kind="worker", index=0):
    return {
        "TF_CONFIG": json.dumps(
            {"cluster": jobs, "task": {"type": kind, "index": index}}
        )
    }


def _slurm(process, hosts, tasks, **more):
    return {
        "SLURM_PROCID": str(process),
        "SLURM_JOB_ID": "4711",
        "SLURM_STEP_NODELIST": hosts,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        **more,
    }


@pytest.mark.parametrize("chief", ["chief", "master"])
@pytest.mark.parametrize(
    "kind, index, expected",
    [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)],
)
def test_a_chief_goes_before_the_workers(chief, kind, index, expected):
    jobs = {"worker": ["a:1", "b:1"], chief: ["c:1"], "ps": []}
    kind = chief if kind == "chief" else kind
    found = cluster.from_environment(_config(jobs, kind, index))
    assert found.addresses == ("c:1", "a:1", "b:1")
    assert found.index == expected


@pytest.mark.parametrize(
    "environment, message",
    [
        ({}, "neither TF_CONFIG nor SLURM_PROCID is set.*mirrored"),
        ({"TF_CONFIG": "{"}, "must be JSON as.*JSONDecodeError"),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}}'}, "KeyError: 'task'"),
        (_config({"worker": ["a:1"]}, index="x"), "must be JSON as"),
        (_config({"worker": ["a:1"]}, index=1), "task is worker 1.* has 1 of"),
        (_config({"worker": ["a:1"]}, "chief"), "task is chief 0.* has 0 of"),
        (_config({"worker": ["a:1", "a:1"]}), "More than once: a:1"),
        (_config({"worker": ["a:1"], "ps": ["b:1"]}), "names ps; .*no param"),
        (_config({"worker": ["a"]}), "host:port.*Received: 'a'"),
        ({"SLURM_PROCID": "0"}, "SLURM_JOB_NODELIST .* not. Start.*srun"),
        *((_slurm(0, hosts, "1"), "list of hosts") for hosts in NO_HOSTS),
        (_slurm(0, "n[1-3]", "1(x2)"), "3 machines and tasks for 2"),
        (_slurm(0, "n1", "x"), "tasks are as"),
        (_slurm(0, "n1", "17"), "at most 16"),
        (
            _slurm(1, "n[1-2]", "2(x2)", SLURM_NODEID="1", SLURM_LOCALID="0"),
            "--distribution=block",
        ),
        (_slurm(4, "n[1-2]", "2(x2)"), "SLURM_PROCID is 4"),
        (_slurm("x", "n[1-2]", "2(x2)"), "SLURM_PROCID must be"),
    ],
)
def test_what_is_no_cluster_is_refused(environment, message):
    with pytest.raises(errors.UsageError, match=f"(?s){message}"):
        cluster.from_environment(environment)


@pytest.mark.parametrize(
    "text, hosts",
    [
        ("n[8-10],m5", "n8 n9 n10 m5"),
        ("n[01-03,7]", "n01 n02 n03 n7"),
        ("a[1,3]-ib,b", "a1-ib a3-ib b"),
        ("r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2"),
        # The example of TensorFlow's SlurmClusterResolver.
        ("n[1-2],m5,o[3-4,6,7-9]", "n1 n2 m5 o3 o4 o6 o7 o8 o9"),
    ],
)
def test_slurms_lists_of_hosts_are_expanded_in_order(text, hosts):
    assert cluster.expand_hosts(text) == hosts.split()


def test_slurms_tasks_are_workers_machine_by_machine():
    found = cluster.from_environment(_slurm(2, "n[9-10],m1", "2,1(x2)"))
    hosts, ports = zip(*(a.split(":") for a in found.addresses), strict=True)
    assert hosts == ("n9", "n9", "n10", "m1")
    assert found.index == 2
    assert int(ports[1]) == int(ports[0]) + 1 and ports[0] == ports[2]
    assert 20_000 <= int(ports[0]) < 32_768 - 16
    other = cluster.from_environment(_slurm(0, "n1", "2", SLURM_JOB_ID="4712"))
    assert other.addresses[0].split(":")[1] != ports[0]


with_docs = pytest.mark.skipif(
    not DOCS.is_dir(), reason="docs/ is not beside the tests"
)


def _documents(path):
    yaml = pytest.importorskip("yaml")
    return list(yaml.safe_load_all((DOCS / path).read_text()))


@with_docs
def test_the_kubernetes_example_gives_each_pod_its_place():
    service, job = _documents("kubernetes.yaml")
    assert service["kind"] == "Service"
    assert service["spec"]["clusterIP"] == "None"
    spec = job["spec"]
    pod = spec["template"]["spec"]
    # Only with these does a pod have a stable name in the service.
    assert spec["completionMode"] == "Indexed"
    assert pod["subdomain"] == service["metadata"]["name"]
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert spec["completions"] == spec["parallelism"]
    (container,) = pod["containers"]
    # Its shell makes TF_CONFIG and starts the program. Here it only prints
    # TF_CONFIG.
    shell, option, script = container["command"]
    assert option == "-c"
    before, _, program = script.partition("exec ")
    name, port = job["metadata"]["name"], 2222
    given = {e["name"]: e["value"] for e in container["env"]}
    assert int(given["WORKERS"]) == spec["completions"]
    for index in range(spec["completions"]):
        done = subprocess.run(
            [shell, option, before + 'printf %s "$TF_CONFIG"'],
            env={**given, "JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        )
        found = cluster.from_environment({"TF_CONFIG": done.stdout})
        assert found.index == index
        assert found.addresses == tuple(
            f"{name}-{i}.{pod['subdomain']}:{port}"
            for i in range(spec["completions"])
        )
    _check_train_flags(program)


@with_docs
def test_the_kubeflow_example_is_a_tfjob_of_workers():
    (job,) = _documents("tfjob.yaml")
    assert job["kind"] == "TFJob"
    replicas = job["spec"]["tfReplicaSpecs"]
    assert set(replicas) == {"Worker"}
    (container,) = replicas["Worker"]["template"]["spec"]["containers"]
    # The operator looks for a container of this name.
    assert container["name"] == "tensorflow"
    assert replicas["Worker"]["restartPolicy"] == "ExitCode"
    shell, option, script = container["command"]
    _check_train_flags(script.splitlines()[0])
    # The operator restarts a container that exits with more than 127.
    for status, expected in ((0, 0), (2, 2), (75, 130), (76, 130)):
        done = subprocess.run(
            [shell, option, f"python() {{ return {status}; }}\n{script}"]
        )
        assert done.returncode == expected


@with_docs
def test_the_slurm_example_gives_each_task_its_place():
    path = DOCS / "slurm.sbatch"
    text = path.read_text()
    subprocess.run(["bash", "-n", str(path)], check=True)
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", text, re.M))
    nodes, tasks = int(options["nodes"]), int(options["ntasks-per-node"])
    assert options["distribution"] == "block"
    for process in range(nodes * tasks):
        found = cluster.from_environment(
            _slurm(
                process,
                f"gpu[1-{nodes}]",
                f"{tasks}(x{nodes})",
                SLURM_NODEID=str(process // tasks),
                SLURM_LOCALID=str(process % tasks),
            )
        )
        assert found.index == process
        assert len(found.addresses) == nodes * tasks
    (command,) = re.findall(r"^ *srun (?:.*\\\n)*.*$", text, re.M)
    _check_train_flags(command.replace("\\\n", " "))


def _check_train_flags(command):
    """All words are flags, and the program's own parser accepts them."""
    words = shlex.split(command)
    words = words[words.index("pipelines/train.py") + 1 :]
    words = words[: words.index("||")] if "||" in words else words
    assert "--strategy=multi_worker" in words
    assert all(word.startswith("--") for word in words)
    done = programs.start("train", *words, "--only_check_args", cwd=DOCS)
    assert done.returncode == 0, done.stderr
