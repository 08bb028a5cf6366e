"""The generated toy language and its tasks."""
