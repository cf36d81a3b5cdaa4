"""Images for training and evaluation, on tf.data."""
