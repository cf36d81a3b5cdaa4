"""The files for phones as ARM64 code, under qemu: the answers of this machine.

Emulated times mean nothing and are not tested.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import phone_files
import pytest

from keras_resnet.export.tflite_metadata import add_metadata

pytestmark = pytest.mark.large

HERE = pathlib.Path(__file__).parent
QEMU = "qemu-aarch64-static"
# Program -> Debian's package.
NEEDS = {QEMU: "qemu-user-static", "apt-get": "apt", "dpkg-deb": "dpkg"}
# Exit status of sysroot.sh where packages cannot be downloaded.
UNAVAILABLE = 69


@pytest.fixture(scope="module")
def files():
    return phone_files.make()


@pytest.fixture(scope="module")
def sysroot(request):
    """The folder that arm64/sysroot.sh makes, kept between runs."""
    for program, package in NEEDS.items():
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (Debian's package {package})")
    folder = request.config.cache.mkdir("arm64")
    result = subprocess.run(
        [HERE / "arm64/sysroot.sh", folder],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode == UNAVAILABLE:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    return folder / "root"


def emulate(sysroot, content, inputs, folder):
    """(outputs, report) of arm64_guest.py for the bytes of a .tflite file."""
    paths = [folder / name for name in ("model.tflite", "in.npy", "out.npy")]
    paths[0].write_bytes(content)
    np.save(paths[1], inputs)
    result = subprocess.run(
        [
            *(QEMU, "-cpu", "cortex-a76", "-L", sysroot),
            *(sysroot / "usr/bin/python3", HERE / "arm64_guest.py", *paths),
        ],
        env={"PYTHONPATH": str(sysroot / "site")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    print(report)
    return np.load(paths[2]), report


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("uint8", 0)])
def test_arm64_gives_the_answers_of_this_machine(
    files, sysroot, tmp_path, dtype, tolerance
):
    content = add_metadata(
        getattr(files, dtype), card=files.card, name="resnet20"
    )
    expected = phone_files.predict(content, files.images)
    inputs = files.images.astype(dtype)
    actual, report = emulate(sysroot, content, inputs, tmp_path)
    assert report["machine"] == "aarch64"
    assert actual.dtype == expected.dtype == dtype
    # Another answer for every image, so an equal one is no accident.
    assert len(np.unique(expected, axis=0)) == len(files.images)
    difference = np.abs(actual.astype(float) - expected).max()
    print(f"{dtype}: largest difference {difference}")
    assert difference <= tolerance


def test_another_image_gives_another_answer(files, sysroot, tmp_path):
    """What the comparison above would see."""
    inputs = files.images[:1] ^ 255
    actual, _ = emulate(sysroot, files.uint8, inputs, tmp_path)
    assert (actual != phone_files.predict(files.uint8, files.images[:1])).any()
