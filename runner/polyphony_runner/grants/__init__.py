"""What a node was granted, turned into mounts, endpoints, secret files and masks (docs/runtimes.md)."""
