"""The client: what `import swath` does over HTTP. It knows the services' addresses and none of their code."""
