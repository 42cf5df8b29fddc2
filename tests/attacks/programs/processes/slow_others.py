"""Bounds, slows down and moves a process of the host.

Must: other processes are out of reach
"""

import os
import resource

from attempt import WORLD, attempt

victim = WORLD["victim"]
attempt("bound", lambda: resource.prlimit(victim, resource.RLIMIT_NOFILE, (1, 1)))
attempt("slow down", lambda: os.setpriority(os.PRIO_PROCESS, victim, 19))
attempt("move", lambda: os.sched_setaffinity(victim, {0}))
attempt("schedule", lambda: os.sched_setscheduler(victim, os.SCHED_IDLE, os.sched_param(0)))
attempt("first in line", lambda: open(f"/proc/{victim}/oom_score_adj", "w").write("1000"))
attempt("own advantage", lambda: os.nice(-10))
attempt("real time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))
