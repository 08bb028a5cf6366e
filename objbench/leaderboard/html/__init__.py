"""The page as one HTML file: cards, figures and tables made from a report, with no network."""
