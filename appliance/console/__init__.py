"""The console: a web application that subscribes to the alert stream and holds no state of its own."""
