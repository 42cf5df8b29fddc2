"""From a name to a locked tree in the store: resolve, verify, fetch, consent, store, lock.

``session`` is one registry during one call (steps 1 to 3 and the memory), ``resolve`` chooses versions, ``packages``
verifies and fetches one version (steps 3 to 7), ``plan`` walks the dependencies, ``commit`` writes all or nothing.
"""
