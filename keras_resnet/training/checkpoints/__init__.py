"""One checkpoint, the folder of all of a run, and who saves when."""
