"""The work of one cell and the record it leaves."""
