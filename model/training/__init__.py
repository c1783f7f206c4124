"""The parts of ``train.py``: losses, assignment, averaged weights, mosaics, the run folder.

It may import every other package but :mod:`model.commands`; only ``train.py`` and
:mod:`model.commands` import it.
"""
