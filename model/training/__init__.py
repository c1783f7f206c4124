"""What ``train.py`` is made of: losses, assignment, averaged weights, mosaics, the run's folder.

The last wing: it may import every other but :mod:`model.commands`, and only ``train.py`` and
:mod:`model.commands` import it.
"""
