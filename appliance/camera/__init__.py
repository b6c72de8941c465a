"""What one camera process is made of: frames in, tracks, evidence, and alerts out."""
