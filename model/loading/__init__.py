"""Annotations, decoded photos and augmentation put together: PyTorch data sets and loaders.

Imports :mod:`model.data` and :mod:`model.augment`, which do not know each other.
"""
