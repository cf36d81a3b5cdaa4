"""Weights: published ones, files of any library's, and transfer."""
