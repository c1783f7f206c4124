"""Measurements of scripts/benchmark.py, a module for each part of the table."""
