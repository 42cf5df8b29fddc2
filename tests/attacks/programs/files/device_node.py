"""Makes device files of the disk and of the kernel's memory.

Must: devices cannot be made
"""

import os

from attempt import attempt

for name, kind, major, minor in (("sda", 0o060666, 8, 0), ("mem", 0o020666, 1, 1), ("null", 0o020666, 1, 3)):
    attempt(name, lambda name=name, kind=kind, major=major, minor=minor: os.mknod(name, kind, os.makedev(major, minor)))
for path in ("/dev/sda", "/dev/vda", "/dev/mem", "/dev/kmsg", "/dev/fuse", "/dev/kvm"):
    attempt(path, lambda path=path: os.open(path, os.O_RDWR))
