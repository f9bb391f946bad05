"""Lab servers and the wallet: hold before the start, meter while it lives, warn, stop gracefully, settle once."""
