"""What credits are and what may happen to them: frozen values and pure functions, no HTTP and no SQL."""
