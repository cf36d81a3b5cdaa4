"""Files for phones give this machine's answers as ARM64 code under qemu.

Emulated times mean nothing and are not tested.
"""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import phone_files
import programs
import pytest
import tflite_files

pytestmark = pytest.mark.large

SYSROOT = programs.ROOT / "tests/arm64/sysroot.sh"
GUEST = programs.SUPPORT / "arm64_guest.py"
QEMU = "qemu-aarch64-static"
# Program -> Debian's package.
NEEDS = {QEMU: "qemu-user-static", "apt-get": "apt", "dpkg-deb": "dpkg"}
# Exit status of sysroot.sh if packages cannot be downloaded.
UNAVAILABLE = 69
# LiteRT's kernels: the fastest of the machine, or the reference kernels.
DEFAULT, REFERENCE = "AUTO", "BUILTIN_REF"


@pytest.fixture(scope="module")
def sysroot(request):
    """The folder that arm64/sysroot.sh makes, kept between runs."""
    for program, package in NEEDS.items():
        if shutil.which(program) is None:
            pytest.skip(f"needs {program} (Debian's package {package})")
    folder = request.config.cache.mkdir("arm64")
    result = subprocess.run(
        [SYSROOT, folder],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode == UNAVAILABLE:
        pytest.skip(result.stderr.strip())
    assert result.returncode == 0, result.stderr
    return folder / "root"


def emulate(sysroot, model, inputs, kernels=DEFAULT):
    """(outputs, report) of arm64_guest.py for a .tflite file."""
    paths = [model, model.with_name("in.npy"), model.with_name("out.npy")]
    np.save(paths[1], inputs)
    result = subprocess.run(
        [
            *(QEMU, "-cpu", "cortex-a76", "-L", sysroot),
            *(sysroot / "usr/bin/python3", GUEST, *paths),
            kernels,
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


# Activations quantised at run time may round to either side of a half. XNNPACK
# rounds integers differently on ARM and on x86: by 1/256.
@pytest.mark.parametrize(
    "precision, tolerance",
    [("float32", 1e-5), ("float16", 1e-5), ("dynamic_int8", 0.02), ("int8", 1)],
)
def test_arm64_gives_the_answers_of_this_machine(
    sysroot, tmp_path, precision, tolerance
):
    images = phone_files.phone().images
    model = phone_files.export(tmp_path, precision)
    expected = tflite_files.predict(model.read_bytes(), images)
    dtype = "uint8" if precision == "int8" else "float32"
    actual, report = emulate(sysroot, model, images.astype(dtype))
    assert report["machine"] == "aarch64"
    assert actual.dtype == expected.dtype == dtype
    # Every image has another answer, so an equal one is no accident.
    assert len(np.unique(expected, axis=0)) == len(images)
    difference = np.abs(actual.astype(float) - expected).max()
    print(f"{precision}: largest difference {difference:.1e}")
    assert difference <= tolerance


def test_the_integers_of_reference_kernels_are_the_same_bits(sysroot, tmp_path):
    """TFLite's specification of 8 bits leaves no rounding open."""
    images = phone_files.phone().images
    model = phone_files.export(tmp_path, "int8")
    expected = tflite_files.predict(
        model.read_bytes(), images, kernels=REFERENCE
    )
    actual, _ = emulate(sysroot, model, images, kernels=REFERENCE)
    np.testing.assert_array_equal(actual, expected)
