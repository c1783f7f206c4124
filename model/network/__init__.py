"""The network: backbone, the two heads, how cells become one box, and a copy made to predict fast.

Imports :mod:`model`'s small shared modules (boxes, errors, ...) and nothing else of it.
"""
