"""Does its calls through a ring that no filter sees.

Must: each call is refused or does not exist
"""

from attempt import calls

calls(
    {
        "io_uring_setup": (425, 425),
        "io_uring_enter": (426, 426),
        "io_uring_register": (427, 427),
    }
)
