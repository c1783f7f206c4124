"""What scripts/benchmark.py measures, a module for each part of the table."""
