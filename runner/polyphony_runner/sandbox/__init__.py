"""The box a node runs in: what it may see, reach and spend, enforced by the operating system."""
