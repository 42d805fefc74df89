"""A process that has the code of one release loaded, and forks from itself a process for each command.

It is run by its path, with the release's tree on PYTHONPATH, and knows of midflight only that it has a command line; so
it serves whatever midflight the release comes with. Each line on standard input is ``{"words": […], "log": FILE}``; it
answers ``{"started": PID}``, and later ``{"ended": PID, "code": CODE}``. It ends with its standard input, and takes
whoever still runs with it.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback

LOADED = ("midflight.process", "midflight.db.schema.runner", "midflight.cli.run", "midflight.cli.db")
"""What most commands need, where the release's midflight has it."""


DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def say(**words: int) -> None:
    """One line for whoever started us."""
    os.write(1, json.dumps(words).encode() + b"\n")


def run(words: list[str], log: str) -> None:
    """In the child: become one command, and end with its code."""
    code = 70
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(file, 1)
        os.dup2(file, 2)
        command = importlib.import_module("midflight.cli").main  # the release's, whose floors are none of ours
        code = int(command(words) or 0)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:  # noqa: BLE001  # nothing may get back into the parent's loop
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def reap(children: set[int]) -> None:
    """Tell of whoever has ended."""
    for pid in [*children]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            say(ended=pid, code=os.waitstatus_to_exitcode(status))


def main(project: str) -> None:
    """Load the project, and serve."""
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    importlib.import_module(project.partition(":")[0])
    gc.collect()
    gc.freeze()
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children, rest = set[int](), b""
    while True:
        ready, _, _ = select.select([0, told], [], [])
        if told in ready:
            os.read(told, 4096)
            reap(children)
        if 0 in ready:
            if not (read := os.read(0, 65536)):
                break
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                if (pid := os.fork()) == 0:
                    run(**json.loads(line))
                children.add(pid)
                say(started=pid)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
