"""Mounts, moves and unmounts by the old calls and by the new.

Must: refused, each of them
"""

from attempt import attempt, call, calls

attempt("bind", lambda: call(165, 40, b"/", b"/tmp", 0, 4096))
attempt("remount for writing", lambda: call(165, 40, 0, b"/", 0, 32 | 4096))
attempt("unmount /proc", lambda: call(166, 39, b"/proc", 2))
calls({"open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "open_tree_attr": (467, 467)})
