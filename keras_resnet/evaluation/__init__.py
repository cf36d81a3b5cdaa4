"""Errors on a data set, every example counted once."""
