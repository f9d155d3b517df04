"""The app tier as processes of this machine."""
