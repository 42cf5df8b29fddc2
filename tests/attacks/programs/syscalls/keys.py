"""Reads and makes keys in the kernel's keyrings, which know no namespaces.

Must: each call is refused or does not exist
"""

from attempt import calls

calls(
    {
        "add_key": (248, 217),
        "request_key": (249, 218),
        "keyctl": (250, 219),
    }
)
