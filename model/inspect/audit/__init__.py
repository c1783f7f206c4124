"""Audit: what augmentation settings do to all boxes of a data set, before training.

Everything except the pictures is computed from plans (:mod:`model.augment.plan`), without opening a
photo. For the same seed, photo and epoch the boxes are those that ``train.py`` gets.
"""
