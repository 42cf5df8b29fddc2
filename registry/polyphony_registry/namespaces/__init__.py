"""Namespaces: the first part of every package name."""
