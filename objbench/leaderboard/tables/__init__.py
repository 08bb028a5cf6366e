"""The tables of a leaderboard page, one file per table."""
