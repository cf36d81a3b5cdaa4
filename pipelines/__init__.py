"""Commands: flags in, one call, a report out."""
