"""Runs on this machine: their folders, logs and reports, and how one is put together and taken up again."""
