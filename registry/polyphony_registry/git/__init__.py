"""Git repositories over smart HTTP: plain ``git clone``, ``fetch`` and ``push`` work; pushes are bounded."""
