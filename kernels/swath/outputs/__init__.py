"""What `swath.emit` is made of: a module for each family of values, for where they go and for how they are shown."""
