"""Fetches the sample photos: the test pictures in the source distribution of face_recognition 1.3.0 (MIT) on PyPI.

    python demo/samples.py FOLDER

Only that archive is downloaded, by pip and by hash; nothing in it is built, installed or run but for pip's own look at
its metadata. Of it, only the pictures are unpacked.
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

REQUIREMENT = "face_recognition==1.3.0 --hash=sha256:5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec\n"
PICTURES = PurePosixPath("face_recognition-1.3.0/tests/test_images")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "samples.txt"
        wanted.write_text(REQUIREMENT)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += [
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "--require-hashes",
            "-r",
            str(wanted),
            "-d",
            scratch,
        ]
        subprocess.run(command, check=True)
        with tarfile.open(Path(scratch) / "face_recognition-1.3.0.tar.gz") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                content = archive.extractfile(member)
                if path.parent == PICTURES and content is not None:
                    (folder / path.name).write_bytes(content.read())
    print(f"{len(list(folder.glob('*.*g')))} sample photos in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
