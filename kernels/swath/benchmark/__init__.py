"""Benchmarks at the desk: an algorithm's scenarios run in the environment at hand, before anything is published.

What a service does with a version (`swath benchmark OWNER/NAME`), this does with a folder: each scenario is run twice
by the runner that runs use, and compared with its references and with itself.
"""
