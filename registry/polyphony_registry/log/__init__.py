"""The transparency log: records, tiles, keyed map, signed checkpoints. One writer transaction at a time."""
