"""Prints what the installed distribution requires, without its extras."""

import importlib.metadata

for requirement in importlib.metadata.requires("residual-networks-keras"):
    if "extra ==" not in requirement:
        print(requirement)
