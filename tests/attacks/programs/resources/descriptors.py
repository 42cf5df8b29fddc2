"""Opens files without end.

Must: descriptors are bounded
"""

import os

from attempt import attempt


def many():
    for _ in range(70000):
        os.open("/dev/null", os.O_RDONLY)


attempt("many", many)
