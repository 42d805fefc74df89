"""Becomes another program that finds an inherited listening socket, as systemd hands one over.

``python launch.py FD COMMAND …``: descriptor FD becomes number 3, LISTEN_FDS and LISTEN_PID say so, and this process
becomes COMMAND. A process of its own, since LISTEN_PID must be the id of the process that is to read it.
"""

import os
import sys

os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
