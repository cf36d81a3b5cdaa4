"""Exported files against the model that they came from."""
