"""An encoder that concatenates the vectors of several encoders."""
