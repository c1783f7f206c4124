"""Predictions held against the truth: scores, calibration, report, plots.

Imports :mod:`model.loading` and what predicts; never :mod:`model.training` or :mod:`model.inspect`.
"""
