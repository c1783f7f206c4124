"""How many visitors share one network: batches, cores, GPU, work done once.

Knows threads, nothing of pages or photos.
"""
