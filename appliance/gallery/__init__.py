"""Who a probe is compared with: search by embedding, and the pictures of those found."""
