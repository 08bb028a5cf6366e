"""What an optimizer step costs, measured on the real step."""
