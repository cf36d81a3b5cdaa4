"""LiteRT.js, the runtime of a page: found or fetched, and checked.

It is third-party work (Apache License 2.0), so it is not in this repository:
the npm client fetches the pinned version once, into the cache. Each file that
a page carries is compared with the sha256 of the tested file.
"""

import hashlib
import pathlib
import subprocess
import tarfile
import tempfile

from keras_resnet import files as files_lib
from keras_resnet.errors import UsageError
from keras_resnet.errors import require
from keras_resnet.weights.cache import cache_directory

VERSION = "2.5.3"
CORE = "@litertjs/core"
UTILITIES = "@litertjs/wasm-utils"

# "threaded" needs threads and relaxed SIMD, "compat" needs neither. LiteRT.js
# has two more variants: for one thread with relaxed SIMD, and for WebGPU.
_WASM = {
    "litert_wasm_compat_internal.js": (
        "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5"
    ),
    "litert_wasm_compat_internal.wasm": (
        "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c"
    ),
    "litert_wasm_threaded_internal.js": (
        "92fe7a720c6deedaa1194c011c79a005ea4f6fc98f533b661cf7900760ab4849"
    ),
    "litert_wasm_threaded_internal.wasm": (
        "b5e54eca10f043497edf9a02186332707cae260c550d7ea22b2cae55669596cf"
    ),
}

# Name in the page's folder -> (package, path in it, sha256).
FILES = {
    "index.js": (
        CORE,
        "dist/index.js",
        "e7daccc3a31eef890848a737ccb863ded5f046a6b40c3fdc0556495adeb5d9b3",
    ),
    "wasm_utils.js": (
        UTILITIES,
        "dist/index.js",
        "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2",
    ),
    **{name: (CORE, f"wasm/{name}", sha) for name, sha in _WASM.items()},
}

# A browser cannot import a package by name.
IMPORT = (b'from "@litertjs/wasm-utils"', b'from "./wasm_utils.js"')

NOTICE = f"""LiteRT.js {VERSION}: {CORE} and {UTILITIES}.
Copyright Google LLC, Apache License 2.0: see the file LICENSE of this page.
index.js has been changed: it imports ./wasm_utils.js, which is dist/index.js
of {UTILITIES}. The other files are as they were published.
"""

INSTALL = f"npm install --ignore-scripts {CORE}@{VERSION} {UTILITIES}@{VERSION}"

_SECONDS = 600  # 12 MB over a slow line


def files(folder=None):
    """The files of LiteRT.js that a page carries.

    Args:
        folder: an unpacked `@litertjs/core` with `@litertjs/wasm-utils` where
            npm puts it, beside it or in its node_modules. Default: the cache,
            which npm fills if need be.

    Returns:
        dict of name to bytes.

    Raises:
        keras_resnet.UsageError: if a file is missing or is not the one that
            was tested, or npm is needed and missing or fails.
    """
    cached = cache_directory() / f"litert_js_{VERSION}"
    if folder is None and not _complete(cached / CORE):
        _fetch(cached)
    core = cached / CORE if folder is None else pathlib.Path(folder)
    contents = {name: _read(core, *row) for name, row in FILES.items()}
    contents["index.js"] = contents["index.js"].replace(*IMPORT)
    return {**contents, "NOTICE": NOTICE.encode()}


def _complete(core):
    return all(_find(core, *row[:2]).is_file() for row in FILES.values())


def _find(core, package, path):
    """Where npm puts a file of a package, seen from the folder of the core."""
    if package == CORE:
        return core / path
    inside = core / "node_modules" / package / path
    return inside if inside.is_file() else core.parent.parent / package / path


def _read(core, package, path, expected):
    file = _find(core, package, path)
    wanted = f"{package} {VERSION}"
    require(
        file.is_file(),
        f"There is no {path} of {wanted} at {str(file)!r}. Get both packages "
        f"with: {INSTALL}",
    )
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    require(
        found == expected,
        f"{str(file)!r} is not the file of {wanted}: its sha256 is {found}, "
        f"expected {expected}. Remove it and fetch the package again.",
    )
    return content


def _fetch(cached):
    """Fetches both packages by npm and keeps the files that are needed."""
    with tempfile.TemporaryDirectory() as folder:
        for package in (CORE, UTILITIES):
            _pack(package, folder)
        for package, path, _ in FILES.values():
            content = _member(folder, package, path)
            target = cached / package / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with files_lib.replacing(target) as unfinished:
                unfinished.write_bytes(content)


def _pack(package, folder):
    command = ["npm", "pack", "--ignore-scripts", f"{package}@{VERSION}"]
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(_by_hand(f"npm cannot be run: {error}")) from error
    reasons = [line for line in result.stderr.splitlines() if line.strip()]
    require(
        result.returncode == 0,
        _by_hand(f"npm failed: {' '.join(reasons[:3]) or 'it says nothing'}"),
    )


def _by_hand(reason):
    return (
        f"The page needs LiteRT.js {VERSION}, which the npm client fetches. "
        f"{reason}. Install npm (Debian's package npm) and connect this "
        f"machine. Or, on one that is connected, run: {INSTALL}; copy "
        f"node_modules here and pass --litert_js=node_modules/{CORE}."
    )


def _member(folder, package, path):
    """The bytes of a file in the archive that npm has written."""
    name = package.removeprefix("@").replace("/", "-")
    archive = pathlib.Path(folder) / f"{name}-{VERSION}.tgz"
    with tarfile.open(archive) as files:
        return files.extractfile(f"package/{path}").read()
