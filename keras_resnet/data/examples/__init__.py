"""Which examples, in which order, for whom."""
