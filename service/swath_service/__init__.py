"""What every Swath service shares: who is calling, how an error is told, how a log line is found, how a database is opened.

This package knows no algorithm, wallet or archive; it imports nothing else of Swath's.
"""
