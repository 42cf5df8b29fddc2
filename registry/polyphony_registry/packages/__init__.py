"""Packages and their versions: the catalogue."""
