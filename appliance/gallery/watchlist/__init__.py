"""The sealed watchlist of one deployment: its file, its entries, and how it is opened."""
