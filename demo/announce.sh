#!/bin/sh
# Says what set-up is about to download, before it does. $1: TORCH_INDEX.
echo "Setting up in .venv. From PyPI this downloads, unless pip has it already:"
echo "    100 MB  face_recognition_models (of which one 22 MB file is used)"
echo "    310 MB  OpenCV, OpenVINO, FFmpeg (PyAV), NumPy, matplotlib and smaller packages"
if [ -n "$1" ]; then
    echo "    200 MB  PyTorch, from $1"
else
    echo "    200 MB  PyTorch, its CPU build; on Linux x86-64 PyPI has only the CUDA build, 2 to 3 GB:"
    echo "            set TORCH_INDEX to an index of CPU builds to avoid that"
fi
echo "      3 MB  sample photos (the source distribution of face_recognition 1.3.0)"
echo "It also tries to fetch two small models (YuNet, 0.2 MB; retail-0095, 2.6 MB), and does without them if it must."
