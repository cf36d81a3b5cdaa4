"""One checkpoint, the folder of a run's checkpoints, and their saver."""
