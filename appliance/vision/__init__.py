"""Arrays in, arrays out: faces found, aligned, measured, embedded and redacted. Nothing else imports onnxruntime."""
