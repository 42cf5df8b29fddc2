"""Permissions: how they are written, what they mean together, and the digest that people consent to."""
