"""The page of the encoder track: its ranking and its rules, made from the records of its rows."""
