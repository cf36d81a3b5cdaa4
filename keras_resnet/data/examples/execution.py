"""How tf.data makes examples: in order, on all cores, without its tuner.

The tuner is a thread of each iterator. It rests 10 ms at first and a minute
later, and where an iterator ends TensorFlow 2.21 waits for it, often without
waking it: programs stood still for up to 61 s. What it would find is known: as
many examples at once as there are cores. Iterators by which a strategy reads
ahead for several devices, or for a GPU, keep it; they take no options.
"""

import tensorflow as tf

OPTIONS = tf.data.Options()
OPTIONS.autotune.enabled = False
# What `tf.data.AUTOTUNE` means then, or all threads where those are fewer.
OPTIONS.autotune.initial_parallelism = 1024
OPTIONS.deterministic = True
# Images are made side by side; to split one's work as well only costs.
OPTIONS.threading.max_intra_op_parallelism = 1
# Each worker makes its share itself.
OPTIONS.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF
)


def ahead(dataset):
    """A data set that makes two batches before they are asked for."""
    return dataset.with_options(OPTIONS).prefetch(2)
