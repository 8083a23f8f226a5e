"""Writes the first inputs of the fuzz targets: `make_seeds.py build/release/assay` fills seeds/<target>/seed-*.

What the fuzzers found lies beside them as finding-*, kept by hand."""
import gzip
import io
import pathlib
import struct
import subprocess
import sys
import zlib

import numpy as np

SEEDS = pathlib.Path(__file__).resolve().parent / "seeds"


def write(target, name, contents):
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(contents)


def two(first, second, flags=0):
    """The input of idx_fuzz and npy_fuzz (import.hpp)."""
    return struct.pack("<BH", flags, len(first)) + first + second


def idx(array):
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def png(width, height, colour):
    """An 8-bit PNG; colour is PNG's type: 0 grey, 2 RGB, 3 palette, 6 RGB with alpha."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    channels = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    rows = b"".join(bytes([row % 5]) + bytes(range(width * channels)) for row in range(height))
    if colour == 3:
        rows = b"".join(b"\0" + bytes(width) for _ in range(height))
    palette = chunk(b"PLTE", bytes(range(12))) if colour == 3 else b""
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def jpeg(*options):
    """A JPEG written by libjpeg's own program (Debian: libjpeg-turbo-progs)."""
    pixels = b"P6 16 16 255 " + bytes(i * 7 % 256 for i in range(16 * 16 * 3))
    return subprocess.run(["cjpeg", "-quality", "20", "-optimize", *options], input=pixels, check=True,
                          capture_output=True).stdout


def main(assay):
    job = subprocess.run([assay, "dump-job", "usage"], check=True, capture_output=True, text=True).stdout
    write("job_file", "all-keys", "".join(line.split("#")[0].rstrip() + "\n" for line in job.splitlines()).encode())
    write("job_file", "overrides", b'[job]\nname = "a"\n[dataset]\nmean = [0.5, 1e-3]\n\0usage.bootstrap=100\0'
          b'usage.signals=["loss"]\0job.name=b\0compute.device="cpu"')
    write("job_file", "types", b'[output]\ncommit_seconds = inf\n[job]\nseed = 0xff\nname = """x\ny"""\n'
          b'kind = 1979-05-27T07:32:00Z\n[[usage]]\na.b = {c = 1}')

    images, labels = np.arange(24, dtype="uint8").reshape(2, 3, 4), np.arange(2, dtype="uint8")
    write("idx", "plain", two(idx(images), idx(labels)))
    write("idx", "gzip", two(idx(images), idx(labels), flags=3))
    write("idx", "gzip-raw", two(gzip.compress(idx(images), mtime=0), idx(labels)))

    for kind in ("uint8", "float32"):
        samples = np.arange(12).reshape(2, 6).astype(kind)
        write("npy", kind, two(npy(samples), npy(labels.astype("int64"))))
    write("npy", "images", two(npy(images), npy(labels), flags=3))
    write("npy", "no-labels", two(npy(images[:, None]), b"", flags=4))

    write("cifar", "cifar10", b"\1\3" + bytes(range(40)))
    write("cifar", "cifar100", b"\2\1\x21" + bytes(range(40)))

    write("csv_manifest", "labels", b"path,label\na.png,0\nb.png,3\n")
    write("csv_manifest", "quotes", b'\xef\xbb\xbfnote,"path"\r\n"say ""a"", b",a.png\r\n\r\n,"b.png"\r\n')
    write("csv_manifest", "shapes", b"label,path\n1,a.png\n2,c.png\n-1,none.png\n")

    for colour in (0, 2, 3, 6):
        write("image", f"png{colour}", png(5, 4, colour))
    write("image", "jpeg-grey", jpeg("-grayscale"))
    write("image", "jpeg-progressive", jpeg("-progressive", "-restart", "1"))

    # Recipes: plain choices all along; the mutations find the others
    write("dataset", "plain", bytes([0] + [63] * 200))
    for reference in range(3):
        write("results", f"fit{reference}", bytes([reference, 1, 0, 1] + [63] * 400))
    write("valuation", "plain", bytes([63] * 600))
    for target in ("dataset", "results", "valuation"):
        write(target, "varied", bytes((37 * i + 11) % 251 for i in range(300)))

    for value in range(3):
        write("message", f"foreign{value}", bytes([value, 0]) + struct.pack("<QI", 2, 0) + bytes(40))
        write("message", f"changed{value}", bytes([value, 2]) + bytes([0, 0, 1]))
        write("message", f"real{value}", bytes([value, 2]))


if __name__ == "__main__":
    main(sys.argv[1])
