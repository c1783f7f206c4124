"""The network: backbone, the two heads, how cells become one box, and a copy for fast inference.

Of :mod:`model` it imports only the small shared modules (boxes, errors, ...).
"""
