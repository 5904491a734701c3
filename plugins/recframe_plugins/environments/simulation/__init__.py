"""What the simulators share: sessions, choice models, boredom."""
