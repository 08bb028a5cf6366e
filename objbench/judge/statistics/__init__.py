"""Statistics on plain arrays: no records, no files and no papers."""
