"""The network that is exported: folded, and proved equal."""
