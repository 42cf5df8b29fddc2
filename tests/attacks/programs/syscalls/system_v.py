"""Makes shared memory, semaphores and queues that outlive every process.

Must: each call is refused or does not exist
"""

from attempt import calls

calls(
    {
        "shmget": (29, 194),
        "semget": (64, 190),
        "msgget": (68, 186),
    }
)
