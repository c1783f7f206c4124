"""Image files are decoded in processes of their own, kept within limits by the operating system.

A photo comes from anybody, and decoders are large C libraries: a small file can cost gigabytes or
minutes, or end the process. So the process that decodes is one that may end. ``pool`` deals out
photos and is all that others need; ``process`` holds a worker; ``worker`` is the program it runs,
``decoder`` what that does with a photo; ``messages`` is what both sides send.
"""
