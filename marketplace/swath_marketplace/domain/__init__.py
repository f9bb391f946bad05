"""What the marketplace is about, without a framework: frozen dataclasses, enums and pure functions."""
