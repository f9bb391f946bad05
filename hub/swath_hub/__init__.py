"""JupyterHub as Swath runs it: who may sign in, where a user's server runs, which services stand beside it."""
