"""What the readers of files share."""
