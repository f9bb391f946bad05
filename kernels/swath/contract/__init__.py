"""What a notebook promises as a service: its typed interface, the checks on both sides, and the files of a run.

Standard library alone, so that the marketplace, the kernel and any other program can import it at no cost. Nothing here
runs a notebook's code: everything is read from its syntax tree.
"""
