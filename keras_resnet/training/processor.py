"""This machine's processor, as Linux tells of it."""

import pathlib
import platform

# Instructions that multiply bfloat16, of Intel, AMD and ARM.
BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}


def name():
    """Its model; elsewhere than on Linux its kind."""
    return _told("model name") or platform.machine()


def flags():
    """Names of its instructions, a list; an empty one where nobody tells."""
    return (_told("flags") or _told("Features")).split()


def lacks_bfloat16(flags):
    """Whether it has no instructions for bfloat16; of no flags not known."""
    return bool(flags) and BFLOAT16.isdisjoint(flags)


def _told(field):
    """What is said of the first CPU; "" for nothing."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        found, _, value = line.partition(":")
        if found.strip() == field:
            return value.strip()
    return ""
