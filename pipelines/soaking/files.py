"""Whole files, of which cases are made."""

import pathlib
import shutil


def read(folder):
    """{name within the folder: bytes} of its files; no links, no pipes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def write(folder, contents):
    """Writes what `read` gives."""
    for name, data in contents.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def clear(folder):
    """Makes a folder, or empties it."""
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)
