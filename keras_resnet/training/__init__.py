"""Training on tf.distribute: one device, those of a machine, or many."""
