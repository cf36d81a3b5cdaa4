"""Class names, and what stands beside a model."""
