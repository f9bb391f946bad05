"""What the marketplace does. Every function that acts for somebody takes the `Actor` first."""
