"""The networks of both papers, as Keras layers."""
