"""Dask Gateway as a service under the hub: each scheduler and worker in a sandbox, under its user's own uid."""
