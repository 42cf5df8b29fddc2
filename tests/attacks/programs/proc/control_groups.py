"""Leaves its control group, or takes its bounds away.

Must: control groups are not shown
"""

import os

from attempt import append, attempt

for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"):
    attempt("list", lambda top=top: len(os.listdir(top)) > 0 and append(top + "/cgroup.procs"))
    attempt("make", lambda top=top: os.mkdir(top + "/mine"))
    attempt("leave", lambda top=top: open(top + "/cgroup.procs", "w").write(str(os.getpid())))
