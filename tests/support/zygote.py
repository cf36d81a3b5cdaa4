"""Programs in forks of one process that has imported TensorFlow and Keras.

A fork takes milliseconds, those imports 5 s of CPU. The forked process must not
have started TensorFlow's runtime, because a child would lack its threads. A
test's own process has started it, so this file is also the program that forks.
"""

import atexit
import functools
import gc
import json
import os
import pathlib
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings


def run(program, *arguments, cwd, env=os.environ, timeout=900):
    """The result of `python PROGRAM ARGUMENTS`, started warm.

    Args:
        program: path of a Python file.
        arguments: its words.
        cwd: directory.
        env: its environment. Of the variables that TensorFlow and Keras read
            on import, only KERAS_BACKEND counts.
        timeout: seconds.

    Returns:
        subprocess.CompletedProcess: with text.
    """
    command = [str(program), *map(str, arguments)]
    request = {"argv": command, "cwd": str(cwd), "env": dict(env)}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        zygote = _zygote(env.get("KERAS_BACKEND"))
        files = [out.fileno(), error.fileno()]
        socket.send_fds(zygote, [json.dumps(request).encode()], files)
        child = int(zygote.recv(64))
        zygote.settimeout(timeout)
        try:
            status = int(zygote.recv(64))
        except TimeoutError:
            os.kill(child, 9)
            zygote.settimeout(None)
            zygote.recv(64)
            raise subprocess.TimeoutExpired(command, timeout) from None
        said = [_text(out), _text(error)]
    return subprocess.CompletedProcess(command, status, *said)


def _text(file):
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


@functools.cache
def _zygote(backend):
    """The socket of this process's zygote, which ends when that is closed."""
    ours, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
    backend = {"KERAS_BACKEND": backend} if backend else {}
    with its:
        subprocess.Popen(
            [sys.executable, __file__, str(its.fileno())],
            pass_fds=[its.fileno()],
            env={**os.environ, **backend},
            stderr=subprocess.DEVNULL,  # what TensorFlow says when it starts
        )
    return ours


def _serve(requests):
    """Forks for each request, until there are none."""
    while True:
        request, files, _, _ = socket.recv_fds(requests, 1 << 20, 2)
        if not request:
            return
        with warnings.catch_warnings():
            # Python warns of threads, but OpenBLAS' threads outlive a fork.
            warnings.simplefilter("ignore")
            child = os.fork()
        if child == 0:
            requests.close()
            _become(json.loads(request), files)
        for file in files:
            os.close(file)
        requests.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        requests.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request, files):
    """Runs a program in this process as `python` does, and ends with it."""
    for target, file in enumerate(files, start=1):
        os.dup2(file, target)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    sys.path[0] = str(pathlib.Path(sys.argv[0]).parent)
    status = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = _status(end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(status)


def _status(code):
    """The exit status of `sys.exit(code)`."""
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


def _end(status):
    """Ends as an interpreter does, but does not tear down its modules.

    The teardown takes half a second of CPU.
    """
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    import keras  # noqa: F401
    import tensorflow as tf  # noqa: F401

    os.fsync = lambda handle: None  # as in tests/conftest.py
    # A collection in a child would copy the memory that it shares.
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
