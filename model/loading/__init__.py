"""PyTorch data sets and loaders: annotations, decoded photos and augmentation put together.

Imports :mod:`model.data` and :mod:`model.augment`, which do not import each other.
"""
