"""Where frames come from: network cameras, devices, files, pictures."""
