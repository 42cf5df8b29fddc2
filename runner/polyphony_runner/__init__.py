"""Fetches, verifies and runs melodies."""
