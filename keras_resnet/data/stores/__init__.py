"""Where examples come from: one module for each kind of store."""
