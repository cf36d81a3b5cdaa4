"""Runs the README and `PAGES`, commands and Python, as a new user would.

    .venv/bin/python tests/fresh_machine.py [--python]

Run it after `make quickstart`, with the Python of an environment that has never
had the test extras. It needs only the standard library. Each command runs once,
in a scratch directory with a copy of what `make quickstart` left. Commands that
`make quickstart` ran do not run again. A command that would train for long gets
more flags (`TINY`), and one that cannot run here is named with its reason
(`LEFT_OUT`). All others run as they stand. Commands of different lanes
(`LANES`) run at once, those of one lane in the order of the pages. With
--python only the blocks of Python, `INSTALLED` and the commands `keras-resnet`
run, as for a user who installed a wheel.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
SUPPORT = ROOT / "tests" / "support"
sys.path.append(str(SUPPORT))

import readme_files  # noqa: E402

# Pages beside the README. A page comes after those whose results it shows.
PAGES = (
    "GETTING_STARTED",
    "OWN_IMAGES",
    "FINE_TUNING",
    "WEIGHTS",
    "DATA",
    "TRAINING",
    "EVALUATION",
    "EXPORT",
    "BACKBONE",
    "EXPERIMENTS",
)
_RATES = "--steps=4 --boundaries=2,3"
_STEPS = f"{_RATES} --eval_every_steps=4"

# Start of a command -> what is added, so that it ends soon.
TINY = {
    "python pipelines/train.py --dataset=folder:PATH": _STEPS,
    "python pipelines/train.py --recipe=finetune": _STEPS,
    "python pipelines/launch.py": (
        f"{_STEPS} --batch_size=8 --workdir=runs/workers"
    ),
    "python pipelines/serve_web.py": "--port=0",
    "python pipelines/reproduce.py --experiment=degradation": (
        f"{_RATES} --docs_dir=docs --rows=plain-20,ResNet-20 --seeds=0"
    ),
    "python pipelines/reproduce.py --experiment=shortcuts": (
        f"{_RATES} --docs_dir=docs --rows=identity --depths=1,1,1 "
        "--warmup_steps=0"
    ),
    "python pipelines/reproduce.py --experiment=dtypes": (
        f"{_RATES} --docs_dir=docs --rows=ResNet-20_mixed_bfloat16 --seeds=0"
    ),
    "python pipelines/reproduce.py --report": "--docs_dir=docs",
    "keras-resnet train photos": "--epochs=1",
}
LEFT_OUT = {
    "make ": "this script is called by one of them",
    "python -m venv": "the environment is there",
    "pip install": "the environment is there",
    "python pipelines/train.py --seed=S": "the same as the digits' recipe",
    "python pipelines/benchmark.py": "it measures for long, beside the peers",
    "python pipelines/reproduce.py --experiment=degradation --scale=full": (
        "it takes CIFAR-10 and days"
    ),
    "python pipelines/architecture.py --variant=NAME": "a test draws all",
    "keras-resnet train photos --weights": "--recipe=finetune does the same",
    "keras-resnet train --recipe=imagenet_resnet50": "it takes days",
    "python pipelines/reproduce_on_jax.py": "JAX is not a requirement",
    "python pipelines/data.py prepare --source=fashion_mnist": (
        "Debian's package with the images may not be there"
    ),
}
# What a user without a checkout types.
INSTALLED = (
    "keras-resnet --help",
    "keras-resnet train --steps=2 --boundaries=1 --eval_every_steps=2",
    "python -m keras_resnet --version",
)
# Commands that need nothing from those of another lane.
LANES = ("data.py", "reproduce.py")
# Our commands print this only if something is wrong.
FAULT = re.compile(r"Traceback|WARNING")
# Placeholder in a page -> the word used here.
WORDS = {"folder:PATH": "folder:photographs", "runs/seed_": "runs/seed"}


def documents():
    """The README and the pages as one text."""
    paths = (ROOT / "docs" / f"{page}.md" for page in PAGES)
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "README.md", *paths)
    )


def commands(text):
    """Yields the commands of a Markdown document in order."""
    for language, block, inline in re.findall(
        r"^```(\w*)\n(.*?)^```|`(python pipelines/[^`]*)`", text, re.M | re.S
    ):
        if inline:
            yield " ".join(inline.split())
        for line in block.replace("\\\n", "").splitlines():
            if language == "sh" and not line.startswith("#"):
                yield re.sub(r"\s+#.*", "", line)
            elif not language and line.startswith("$ "):
                yield line[2:]


def plan(text):
    """Yields the commands of a document: (as shown, as run or None).

    A command that it shows more than once runs once.
    """
    for command in dict.fromkeys(commands(text)):
        if _row(LEFT_OUT, command) is not None:
            yield command, None
            continue
        typed = f"{command} {_row(TINY, command) or ''}".strip()
        for word, ours in WORDS.items():
            typed = typed.replace(word, ours)
        yield command, typed


def quickstart():
    """The commands that `make quickstart` ran."""
    done = subprocess.run(
        ["make", "--dry-run", "quickstart"],
        cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    words = (line.partition("/bin/") for line in done.stdout.splitlines())
    return {command for _, _, command in words}


def _lane(command):
    return next((name for name in LANES if name in command), "others")


def _row(table, command):
    rows = (row for start, row in table.items() if command.startswith(start))
    return next(rows, None)


def blocks(text):
    """The blocks of Python that need nothing but this project."""
    found = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [block for block in found if "sklearn" not in block]


def run(command, folder):
    """Runs a shell line and returns its output; exits if the line fails."""
    start = time.perf_counter()
    done = subprocess.run(
        command, shell=True, cwd=folder, env=_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    print(f"{time.perf_counter() - start:6.1f} s  {command}", flush=True)
    ours = command.startswith(("python pipelines/", "keras-resnet"))
    if done.returncode or (ours and FAULT.search(done.stdout)):
        sys.exit(f"{done.stdout}\nstatus {done.returncode}: {command}")
    return done.stdout


_hub = {}  # how a cache of the Hugging Face hub is found


def _environment():
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}"
    return {**os.environ, "PATH": path + os.environ["PATH"], **_hub}


def serve(command, folder):
    """Starts a server, asks it for its page and ends it with Ctrl-C."""
    with subprocess.Popen(
        f"exec {command}", shell=True, cwd=folder, env=_environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as server:  # fmt: skip
        address = re.search(r"http://\S+", server.stdout.readline())[0]
        with urllib.request.urlopen(address, timeout=30) as page:
            if b"<html" not in page.read():
                sys.exit(f"no page at {address}: {command}")
        server.send_signal(signal.SIGINT)
        rest = server.stdout.read()
    if server.returncode or FAULT.search(rest):
        sys.exit(f"{rest}\nstatus {server.returncode}: {command}")
    print(f"  served  {command}", flush=True)


def predict_with_each(folder):
    """One prediction with every file that the manifest names."""
    manifest = json.loads((folder / "exported/manifest.json").read_text())
    paths = [artifact["path"] for artifact in manifest["artifacts"]]
    command = "python pipelines/predict.py --model=exported/{} exported/samples"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda p: run(command.format(p), folder), paths))


def run_installed(text, folder):
    """Runs what needs no checkout: Python, as one program, and commands."""
    run(f"python {SUPPORT / 'readme_files.py'} .", folder)
    _hub.update(readme_files.settings(folder))
    (folder / "blocks.py").write_text("\n".join(blocks(text)))
    run("python blocks.py", folder)
    for command in INSTALLED:
        run(command, folder)
    for command, typed in plan(text):
        if typed and _is_installed(command):
            run(typed, folder)


def _is_installed(command):
    return command.startswith("keras-resnet")


def prepare(folder):
    """Puts the files that the commands need into a folder."""
    for name in ("runs", "exported"):
        shutil.copytree(ROOT / name, folder / name)
    for seed in (0, 1):
        shutil.copytree(ROOT / "runs/digits", folder / f"runs/seed{seed}")
    (folder / "pipelines").symlink_to(ROOT / "pipelines")
    readme_files.make_photographs(folder / "photographs")


def run_lane(commands, folder):
    """Runs commands, (as shown, as run), one after the other."""
    for command, typed in commands:
        if "serve_web" in typed:
            serve(typed, folder)
        else:
            run(typed, folder)
        if "onnx_int8,web" in command:
            predict_with_each(folder)


def run_commands(text, folder):
    """Runs the commands of a document, all lanes at once."""
    done, lanes = quickstart(), {}
    for command, typed in plan(text):
        if _is_installed(command):
            continue  # it runs with --python
        if typed is None:
            print(f"left out  {command}: {_row(LEFT_OUT, command)}")
        elif command in done:
            print(f"left out  {command}: make quickstart ran it")
        else:
            lanes.setdefault(_lane(command), []).append((command, typed))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = [
            pool.submit(run_lane, lane, folder) for lane in lanes.values()
        ]
        for lane in concurrent.futures.as_completed(running):
            lane.result()


def main():
    # A job in the background ignores SIGINT, and its children would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    text = documents()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        if "--python" in sys.argv:
            run_installed(text, folder)
        else:
            prepare(folder)
            run_commands(text, folder)


if __name__ == "__main__":
    main()
