"""Kills the host's processes: by number, by descriptor, by group and all at once.

Must: nobody outside can be signalled
"""

import os
import signal

from attempt import WORLD, attempt, stopped

victim = WORLD["victim"]
attempt("kill", lambda: os.kill(victim, signal.SIGKILL))
attempt("by descriptor", lambda: signal.pidfd_send_signal(os.pidfd_open(victim), signal.SIGKILL))
attempt("its group", lambda: os.killpg(victim, signal.SIGKILL))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
try:
    os.kill(-1, signal.SIGTERM)
except OSError:
    pass
stopped("all at once", "judged by the host")
