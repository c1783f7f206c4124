"""Annotations and image files: what is read from disk, and written to it.

Imports the small shared modules alone; never :mod:`model.augment`.
"""
