"""Training on tf.distribute: one device or all devices of a machine."""
