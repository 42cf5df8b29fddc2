"""Takes its own bounds away.

Must: bounds set from outside cannot be raised
"""

import resource

from attempt import attempt


for name in ("FSIZE", "NPROC", "NOFILE", "CORE", "MEMLOCK"):
    which = getattr(resource, "RLIMIT_" + name)
    attempt(name, lambda which=which: resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
