"""Mounts a file system that never answers on a directory, and runs a program.

Arguments: the directory and the command. It is a FUSE whose device no process reads, so calls wait as for a dead network file
system: only a signal that ends the process interrupts them. Needs root and a mount namespace of its own.
"""

import ctypes
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
# Open in the program, too: the file system answers with errors when it is closed.
device = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(device, True)
options = "fd=%d,rootmode=40755,user_id=0,group_id=0" % device
if libc.mount(b"dead", os.fsencode(sys.argv[1]), b"fuse", 0, options.encode()) != 0:
    sys.exit("mount: %s" % os.strerror(ctypes.get_errno()))
os.execv(sys.argv[2], sys.argv[2:])
