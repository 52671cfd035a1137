"""What customers say when they are asked."""
