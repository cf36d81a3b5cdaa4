"""What computes a run: TensorFlow's strategies, or JAX on one device."""
