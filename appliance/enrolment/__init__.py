"""From photos and a manifest to examined templates and a sealed watchlist, with a reason for every photo refused."""
