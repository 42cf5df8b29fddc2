"""Which registry speaks for which names, under which log key, and what this client saw of its log before."""
