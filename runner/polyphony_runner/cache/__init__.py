"""Results of pure nodes, found again by what went into them (docs/cache.md)."""
