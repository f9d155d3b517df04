"""Files -> frames, frames -> pictures: the room that speaks to FFmpeg (PyAV), Pillow and OpenCV's image functions."""
