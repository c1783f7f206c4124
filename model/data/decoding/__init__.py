"""Image files are decoded in worker processes, with limits enforced by the operating system.

Photos are untrusted, and decoders are large C libraries: a small file can cost gigabytes or
minutes, or crash the process. So only worker processes decode. ``pool`` is the interface for other
packages and gives photos to workers; ``process`` controls one worker; ``worker`` is the program it
runs, ``decoder`` its decoding; ``messages`` is the protocol between both.
"""
