"""For users to look at: variants of a photo and their captions, extremes, robustness, explanations,
audits of a data set, and any torchvision pipeline step by step.

Imports :mod:`model.augment`, :mod:`model.data` and the modules that predict.
"""
