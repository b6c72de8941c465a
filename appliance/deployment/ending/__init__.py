"""What the end of a deployment is made of: destroying, searching for remains, and the certificate."""
