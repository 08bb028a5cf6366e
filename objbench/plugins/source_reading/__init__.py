"""What a plugin's source says of its options before it is imported."""
