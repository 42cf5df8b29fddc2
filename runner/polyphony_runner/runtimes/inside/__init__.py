"""Programs that run inside the sandbox. Standard library only, and as little of it as possible: imports cost time."""
