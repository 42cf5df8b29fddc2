"""Identity, signatures, log, map and the numbered verification: pure functions over bytes handed in.

Read in this order: ``tree`` (what a package is) → ``statement`` and ``bundle`` (who says so) → ``records`` and
``history`` (what the log holds) → ``merkle``, ``notes``, ``keymap`` (why the log cannot lie) → ``verification``.
The formats in short are in ``docs/trust.md``.
"""
