"""What people look at: variants of a photo and their captions, extremes, robustness, explanations.

Imports :mod:`model.augment`, :mod:`model.data` and what predicts; the demo's views show it.
"""
