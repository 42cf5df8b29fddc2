"""Runtimes: how a node's extension is executed (process, command, Python function)."""
