"""Confines itself without namespaces and becomes a program: what a container is elsewhere for a JavaScript host.

Usage: confined.py OPTIONS, a JSON object:
    control   path of the engine's socket, which the program finds open as descriptor 3
    uid       user to become; the own one when there is no other
    readable  what may be read, separated by colons
    argv      command line of the program
"""

import json
import os
import resource
import socket
import sys

import _slot

CONTROL = 3
DESCRIPTORS_MAX = 4096


def main():
    options = json.loads(sys.argv[1])
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(options["control"])
    os.dup2(connection.fileno(), CONTROL)
    os.set_inheritable(CONTROL, True)
    os.closerange(CONTROL + 1, DESCRIPTORS_MAX)
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("500")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    os.umask(0o077)
    _slot.confine(options["uid"], options["readable"])
    os.execve(options["argv"][0], options["argv"], os.environ)


main()
