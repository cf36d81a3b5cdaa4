"""The campaign of `pipelines/soak.py`: one file a kind, a row in `kinds`."""
