"""Services for suites: fine-tuning, embedding and token scores of a finished encoder."""
