"""What `pipelines/benchmark.py` measures, a module for each of its tables."""
