"""What `objbench push` puts on the Hugging Face hub: encoders with cards, records as a data set."""
