"""Quota: one wallet for Lab servers, Dask clusters and runs, kept as a double-entry ledger of integer millicredits.

Other rooms import `swath_quota.client` and nothing else from here.
"""
