"""The command lines, one a file: ``python -m model.predict`` runs ``predict.py`` of this folder.

They may import everything; nothing imports them.
"""
