"""How tf.data makes examples: in order, on all cores, without its tuner.

The tuner is a thread of each iterator. It sleeps 10 ms at first and a minute
later. When an iterator ends, TensorFlow 2.21 waits for it, often without waking
it: programs hung for up to 61 s. What it would find is known: as many examples
at once as there are cores. The iterators with which a strategy reads ahead for
several devices, or for a GPU, keep their tuner; they take no options.
"""

import tensorflow as tf

OPTIONS = tf.data.Options()
OPTIONS.autotune.enabled = False
# What `tf.data.AUTOTUNE` means then, or all threads if there are fewer.
OPTIONS.autotune.initial_parallelism = 1024
OPTIONS.deterministic = True
# Images are made in parallel; splitting the work on each only costs time.
OPTIONS.threading.max_intra_op_parallelism = 1
# Each worker makes its share itself.
OPTIONS.experimental_distribute.auto_shard_policy = (
    tf.data.experimental.AutoShardPolicy.OFF
)


def ahead(dataset):
    """The data set with `OPTIONS`, two batches ahead of its reader."""
    return dataset.with_options(OPTIONS).prefetch(2)
