"""The pictures of a leaderboard page, as SVG."""
