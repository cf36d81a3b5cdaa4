"""Training: the loop, what it keeps, and the engines that compute it.

The words: a *worker* is a process of a run, worker 0 is the *chief*; a
*replica* is the network's copy on one device; a *cluster* is the addresses of
all workers, who meet at a *rendezvous* before TensorFlow starts.
"""
