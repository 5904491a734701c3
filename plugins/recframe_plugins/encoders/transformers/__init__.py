"""The encoders `bert` and `gpt`."""
