"""Python programs that start in milliseconds where Linux can fork: what takes seconds to import is there already.

``python warm_python.py NAME`` imports it, and then runs every program that `command` hands over in a process of its own, with the folder, the
environment, the streams and the exit status of the one who asked.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

#: Libraries alone: the packages under test are imported by the programs.
IMPORTED = ("torch", "torch._dynamo", "torch_geometric", "sklearn.datasets", "scipy.stats")
CLIENT = """\
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect("\\0" + sys.argv[1])
    socket.send_fds(asked, [json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()], [0, 1, 2])
    asked.shutdown(socket.SHUT_WR)
    sys.exit(int(asked.recv(8) or 1))
"""


@contextlib.contextmanager
def warm_python(folder: Path) -> Iterator[Path]:
    """A command that takes a script and its arguments, as ``python`` does."""
    command = folder / "python"
    if sys.platform != "linux":
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        command.chmod(0o755)
        yield command
        return
    name, client = f"cg-{uuid.uuid4()}", folder / "client.py"
    client.write_text(CLIENT)
    start = shlex.join([sys.executable, "-I", "-S", str(client), name])
    command.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    command.chmod(0o755)
    with subprocess.Popen([sys.executable, __file__, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        assert server.stdout
        server.stdout.readline()  # it listens
        yield command
        server.kill()


def serve(name: str) -> tuple[list[str], list[int]]:
    """Answer for ever; comes back in the process of a program, with its command line and streams."""
    for library in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    gc.freeze()
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0" + name)
    server.listen()
    print(flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a program is not waited for
    while True:
        asked, _ = server.accept()
        if os.fork():
            asked.close()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server.close()
        message, streams, _, _ = socket.recv_fds(asked, 1 << 16, 3)
        while part := asked.recv(1 << 16):
            message += part
        program = os.fork()
        if program:
            _, status = os.waitpid(program, 0)
            with contextlib.suppress(OSError):
                asked.send(str(os.waitstatus_to_exitcode(status) % 256).encode())
            os._exit(0)
        asked.close()
        arguments, place, environment = json.loads(message)
        os.chdir(place)
        os.environ.clear()
        os.environ.update(environment)
        return arguments, streams


def main() -> None:
    arguments, streams = serve(sys.argv[1])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - for good
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = arguments
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path = [os.path.dirname(arguments[0]) or os.getcwd(), *filter(None, paths), *sys.path[1:]]
    runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
