"""What every Swath service shares: who is calling, how an error is told and found in a log, how a database is opened.

This package knows no algorithm, wallet or archive; it imports nothing else of Swath's.
"""
