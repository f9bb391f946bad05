"""The quota service over HTTP: a handler parses, calls one service function and shapes the answer."""
