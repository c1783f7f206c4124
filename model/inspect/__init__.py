"""What people look at: variants of a photo and their captions, extremes, robustness, explanations,
audits of a data set, and any pipeline of torchvision step by step.

Imports :mod:`model.augment`, :mod:`model.data` and what predicts; the demo's views show it.
"""
