"""What every Swath service shares at its door: who is calling, how an error is told, how a log line is found again.

This package knows no algorithm, wallet or archive; it imports nothing else of Swath's.
"""
