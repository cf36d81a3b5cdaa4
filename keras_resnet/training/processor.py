"""This machine's processor, as Linux reports it."""

import pathlib
import platform

# Instructions that multiply bfloat16, of Intel, AMD and ARM.
BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}


def name():
    """Its model; outside Linux, its kind."""
    return _told("model name") or platform.machine()


def flags():
    """Names of its instructions, a list; empty if unknown."""
    return (_told("flags") or _told("Features")).split()


def lacks_bfloat16(flags):
    """Whether it has no instructions for bfloat16; False for no flags."""
    return bool(flags) and BFLOAT16.isdisjoint(flags)


def _told(field):
    """A field of the first CPU; "" if it is missing."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        found, _, value = line.partition(":")
        if found.strip() == field:
            return value.strip()
    return ""
