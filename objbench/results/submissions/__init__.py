"""Results that somebody else made: the folder they send, its checks, and what is known of them."""
