"""Any file that holds a network, opened and asked."""
