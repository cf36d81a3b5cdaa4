"""Runs pytest on the test file which Bazel passes as the argument.

A py_test starts a program, and tests of plain functions are not one. The exit
status is pytest's, so a file without tests (status 5) fails.
"""

import os
import sys

import pytest


def main(arguments):
    """Returns pytest's exit status, of the tests `make test` would run."""
    # The runfiles are not to be written, so no cache and no bytecode there.
    options = ["-p", "no:cacheprovider", "-m", "not large"]
    test_filter = os.environ.get("TESTBRIDGE_TEST_ONLY")
    if test_filter:
        options += ["-k", test_filter]
    return pytest.main(options + arguments)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(sys.argv[1:]))
