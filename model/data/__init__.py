"""PASCAL VOC, image files of all kinds, and what becomes of them on the way to the network."""
