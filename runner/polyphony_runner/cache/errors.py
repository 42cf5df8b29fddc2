"""Why a pure node is not looked up."""

from __future__ import annotations


class NotCacheableError(Exception):
    """This attempt has no key: the node is executed, and its result kept for nobody. Never leaves the cache."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
