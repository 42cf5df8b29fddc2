"""Asks for debugging, performance counters, BPF and other ways into the kernel.

Must: each call is refused or does not exist
"""

from attempt import calls

calls(
    {
        "ptrace": (101, 117),
        "process_vm_readv": (310, 270),
        "process_vm_writev": (311, 271),
        "kcmp": (312, 272),
        "pidfd_getfd": (438, 438),
        "bpf": (321, 280),
        "perf_event_open": (298, 241),
        "userfaultfd": (323, 282),
        "syslog": (103, 116),
        "acct": (163, 89),
        "quotactl": (179, 60),
        "quotactl_fd": (443, 443),
        "name_to_handle_at": (303, 264),
        "open_by_handle_at": (304, 265),
        "vhangup": (153, 58),
        "fanotify_init": (300, 262),
        "migrate_pages": (256, 238),
        "move_pages": (279, 239),
        "lookup_dcookie": (212, 18),
        "nfsservctl": (180, 42),
        "personality": (135, 92),
    }
)
