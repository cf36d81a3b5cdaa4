"""Runs pytest on the test file that Bazel passes as the argument.

A py_test runs a program, and a file of test functions is not a program. The
exit status is pytest's, so a file without tests (status 5) fails.
"""

import os
import sys

import pytest


def main(arguments):
    """Runs the tests that `make test` runs; returns pytest's exit status."""
    # Nothing may be written to the runfiles: no cache and no bytecode.
    options = ["-p", "no:cacheprovider", "-m", "not large"]
    test_filter = os.environ.get("TESTBRIDGE_TEST_ONLY")
    if test_filter:
        options += ["-k", test_filter]
    return pytest.main(options + arguments)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(sys.argv[1:]))
