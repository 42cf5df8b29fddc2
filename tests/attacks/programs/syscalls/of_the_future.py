"""Calls numbers that the filter cannot know.

Must: each call is refused or does not exist
"""

from attempt import calls

calls(
    {
        "470": (470, 470),
        "471": (471, 471),
        "500": (500, 500),
        "600": (600, 600),
    }
)
