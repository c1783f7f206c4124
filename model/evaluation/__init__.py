"""Predictions compared with the annotations: metrics, calibration, report, plots.

Imports :mod:`model.loading` and the modules that predict, but not :mod:`model.training` or
:mod:`model.inspect`.
"""
