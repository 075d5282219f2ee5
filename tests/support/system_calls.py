"""Runs a program whose kernel answers some system calls differently, by seccomp(2).

Arguments: rules, separated by commas, and the command. `flock=hang`: the call never returns. `persistent=ERRNO`:
KEYCTL_GET_PERSISTENT fails with this number. `keyctl=ERRNO`: all calls of keyctl(2) do.
"""

import ctypes
import fcntl
import os
import platform
import struct
import sys

SYSTEM_CALLS = {
    "x86_64": {"seccomp": 317, "flock": 73, "keyctl": 250},
    "aarch64": {"seccomp": 277, "flock": 32, "keyctl": 219},
}[platform.machine()]
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
ALLOW, ERRNO, USER_NOTIFICATION = 0x7FFF0000, 0x00050000, 0x7FC00000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16
GET_PERSISTENT = 22


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


program, flags = [], 0
for rule in sys.argv[1].split(","):
    name, _, answer = rule.partition("=")
    if name == "flock":
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER
        program += [
            instruction(LOAD, NUMBER),
            instruction(EQUAL, SYSTEM_CALLS["flock"], 0, 1),
            instruction(RETURN, USER_NOTIFICATION),
        ]
    elif name == "keyctl":
        program += [
            instruction(LOAD, NUMBER),
            instruction(EQUAL, SYSTEM_CALLS["keyctl"], 0, 1),
            instruction(RETURN, ERRNO | int(answer)),
        ]
    else:
        program += [
            instruction(LOAD, NUMBER),
            instruction(EQUAL, SYSTEM_CALLS["keyctl"], 0, 3),
            instruction(LOAD, FIRST_ARGUMENT),
            instruction(EQUAL, GET_PERSISTENT, 0, 1),
            instruction(RETURN, ERRNO | int(answer)),
        ]
program.append(instruction(RETURN, ALLOW))
filters = ctypes.create_string_buffer(b"".join(program))
header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(filters))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
    sys.exit("prctl: %s" % os.strerror(ctypes.get_errno()))
listener = libc.syscall(SYSTEM_CALLS["seccomp"], SECCOMP_SET_MODE_FILTER, flags, ctypes.create_string_buffer(header))
if listener < 0:
    sys.exit("seccomp: %s" % os.strerror(ctypes.get_errno()))
if flags:
    # Open in the program, and never read, so a call waits forever.
    fcntl.fcntl(listener, fcntl.F_SETFD, 0)
os.execv(sys.argv[2], sys.argv[2:])
