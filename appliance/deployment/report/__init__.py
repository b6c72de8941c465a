"""The record of a deployment: counted, drawn and written for the public and for the force."""
