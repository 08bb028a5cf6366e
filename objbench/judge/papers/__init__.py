"""What papers claim: claims, published figures, and their replay."""
