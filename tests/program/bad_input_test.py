"""Every way we know to hand assay something bad: it must refuse with the right exit code and one line that
names the culprit and the remedy, leave nothing that looks complete, and never hang - alone and under mpirun.

    python3 tests/bad_input_test.py --assay PATH --mpirun PATH [--only TEXT]

Needs the numpy, h5py and torch of the distribution's python3.
"""
import argparse
import concurrent.futures
import fcntl
import os
import pathlib
import re
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

import h5py
import numpy as np
import torch

USAGE, DATA, IO = 64, 65, 74
SAMPLES, CLASSES, SIDE = 60, 3, 8
TIMEOUT = 60  # seconds; a run that needs them hangs
ROOT = pathlib.Path(tempfile.mkdtemp(prefix="assay-bad-input-"))
GOOD = ROOT / "good"
JOB, MODEL = GOOD / "job.toml", GOOD / "model.pt"
LOG_LINE = re.compile(r"^\d\d:\d\d:\d\d (info|warning) ")

# --- Good inputs, and one bad thing at a time ---------------------------------------------------------------


def good_arrays(side=SIDE, dtype="uint8"):
    draw = np.random.default_rng(1).integers(0, 256, (SAMPLES, 1, side, side))
    return {"samples": (draw / 255 if dtype == "float32" else draw).astype(dtype),
            "labels": np.arange(SAMPLES, dtype="int64") % CLASSES}


def write_dataset(path, layout="NCHW", **arrays):
    """The good data set with some arrays replaced; None leaves one out."""
    with h5py.File(path, "w") as f:
        for name, values in {**good_arrays(), **arrays}.items():
            if values is not None:
                f[name] = values
        if layout and "samples" in f:
            f["samples"].attrs["layout"] = layout
    return path


def changed(array, at, value):
    array = array.copy()
    array.reshape(len(array), -1)[at, 0] = value
    return array


def png(side):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + bytes(side) for _ in range(side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def idx_images(count):
    return struct.pack(">IIII", 0x803, count, 4, 4) + bytes(count * 16)


MODELS = """
def logits(x): return x.flatten(1)[:, :3]
class Good(M):
    def forward(self, x): return x.flatten(1)[:, :3] * 2.0
class Sequence(M):  # autoregressive: [B, T, V]
    def forward(self, x): return x.flatten(1)[:, :15].reshape(-1, 5, 3)
class Tuple(M):
    def forward(self, x): return x.flatten(1)[:, :3], x
class Double(M):
    def forward(self, x): return x.flatten(1)[:, :3].to(torch.float64)
class Pooled(M):  # forgets the batch
    def forward(self, x): return x.flatten(1)[:, :3].mean(0, keepdim=True)
class TwoClasses(M):
    def forward(self, x): return x.flatten(1)[:, :2]
class Softmax(M):
    def forward(self, x): return x.flatten(1)[:, :3].softmax(1)
class NotANumber(M):
    def forward(self, x): return x.flatten(1)[:, :3] * float("nan")
class NotANumberOnce(M):  # on one bright sample only: a trial batch cannot see it
    def forward(self, x): return x.flatten(1)[:, :3] / (x.mean([1, 2, 3]) < 0.999).to(x.dtype).unsqueeze(1)
class Asserts(M):
    def forward(self, x):
        assert bool((x.mean([1, 2, 3]) < 0.999).all()), "a sample is too bright"
        return x.flatten(1)[:, :3]
class OtherInput(M):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(784, 3)
    def forward(self, x): return self.head(x.flatten(1))
class Diffusion(M):
    def forward(self, x, t): return x * t
class Encoder(M):
    @torch.jit.export
    def encode(self, x): return x
class Autoregressive(M):  # a good one: logits of the number of bright pixels before, and of the label
    def forward(self, tokens, label):
        before = torch.cumsum(tokens, 1) - tokens
        return (before + label.unsqueeze(1)).unsqueeze(2).float() * torch.tensor([1.0, 0.5])
    @torch.jit.export
    def tokenize(self, x): return (x.flatten(1) > 0.5).long()
class NoNullLabel(M):
    def forward(self, tokens, label):
        return torch.nn.functional.one_hot(label, 3).unsqueeze(1).repeat(1, 64, 1).float()
    @torch.jit.export
    def tokenize(self, x): return (x.flatten(1) > 0.5).long()
class IgnoresLabel(M):
    def forward(self, tokens, label): return (torch.cumsum(tokens, 1) - tokens).unsqueeze(2).float() * torch.ones(2)
    @torch.jit.export
    def tokenize(self, x): return (x.flatten(1) > 0.5).long()
class BadTokens(M):  # on one bright sample only
    def forward(self, tokens, label):
        return label.reshape(-1, 1, 1).float() * torch.ones(tokens.size(0), tokens.size(1), 2)
    @torch.jit.export
    def tokenize(self, x): return (x.flatten(1) > 0.5).long() + 5 * (x.mean([1, 2, 3]) > 0.999).long().unsqueeze(1)
class GoodDiffusion(M):
    def __init__(self):
        super().__init__()
        self.register_buffer("alphas_cumprod", torch.linspace(0.99, 0.1, 200))
    def forward(self, x_t, t, label): return x_t * (1.0 + label.reshape(-1, 1, 1, 1).float())
class NoSchedule(M):
    def forward(self, x_t, t, label): return x_t * (1.0 + label.reshape(-1, 1, 1, 1).float())
class RisingSchedule(NoSchedule):
    def __init__(self):
        super().__init__()
        self.register_buffer("alphas_cumprod", torch.linspace(0.1, 0.99, 200))
class LearnedVariance(GoodDiffusion):
    def forward(self, x_t, t, label): return torch.cat([x_t, x_t], 1)
class NoNullClass(GoodDiffusion):
    def forward(self, x_t, t, label): return x_t * torch.tensor([1.0, 2.0, 3.0])[label].reshape(-1, 1, 1, 1)
class InPlace(GoodDiffusion):
    def forward(self, x_t, t, label):
        x_t *= 0.5
        return x_t * (1.0 + label.reshape(-1, 1, 1, 1).float())
class RandomLatent(GoodDiffusion):
    @torch.jit.export
    def encode(self, x): return x + torch.randn_like(x)
class BadFeatures(M):
    def forward(self, x): return x.flatten(1)[:, :3]
    @torch.jit.export
    def features(self, x): return x
"""


def make_models():
    source = GOOD / "models.py"  # TorchScript reads the source of what it compiles
    source.write_text("import torch\nfrom torch import Tensor\nM = torch.nn.Module\n"
                      + re.sub(r"\(self, x\):", "(self, x: Tensor):", MODELS))
    sys.path.insert(0, str(GOOD))
    import models
    for name, kind in vars(models).items():
        if isinstance(kind, type) and issubclass(kind, torch.nn.Module) and name != "M":
            torch.jit.script(kind()).save(str(GOOD / f"{name}.pt"))
    shutil.copy(GOOD / "Good.pt", MODEL)
    torch.save({"weight": torch.zeros(3)}, GOOD / "state_dict.pt")


def make_good_inputs():
    GOOD.mkdir()
    make_models()
    write_dataset(GOOD / "s.h5")
    write_dataset(GOOD / "h.h5")
    write_dataset(GOOD / "floats.h5", samples=FLOATS)
    bright = good_arrays()["samples"]
    bright[41] = 255
    write_dataset(GOOD / "bright.h5", samples=bright)
    JOB.write_text(f"""
[dataset]
suspects = "{GOOD}/s.h5"
held_out = "{GOOD}/h.h5"
[model]
file = "{MODEL}"
[compute]
shard_size = 16
[usage]
bootstrap = 50
""")
    np.save(GOOD / "x.npy", np.zeros((5, 1, 4, 4), "float32"))
    np.save(GOOD / "large.npy", np.zeros((100, 1, 16, 16), "float32"))


# --- What a case does: each of these makes its inputs in a folder and returns the arguments of assay --------


def command(*arguments, name="check", **settings):
    """`assay check` (or run) of the good job with keys changed; FOLDER in a value is the case's folder."""
    def make(folder):
        sets = [f"--set={k.replace('__', '.')}={v}" for k, v in settings.items()]
        sets = [text.replace("FOLDER", str(folder)) for text in sets]
        return [name, str(JOB), "--output", str(folder / "out"), *sets, *arguments]
    return make


def run(*arguments, **settings):
    return command(*arguments, name="run", **settings)


def trained(**settings):
    return {"model__file": "''", "model__train__network": "mlp", "model__train__epochs": 1,
            "model__train__width": 4, **settings}


def suspects(write, **settings):
    """check on suspects that `write` makes at a path."""
    def make(folder):
        write(folder / "s.h5")
        return command(dataset__suspects="FOLDER/s.h5", **settings)(folder)
    return make


def with_arrays(layout="NCHW", settings={}, **arrays):
    return suspects(lambda path: write_dataset(path, layout, **arrays), **settings)


def h5(write):
    def write_file(path):
        with h5py.File(path, "w") as f:
            f["labels"] = good_arrays()["labels"]
            write(f)
    return suspects(write_file)


def held_out(of="s.h5", **arrays):
    """check on held-out samples beside the good suspects in file `of`."""
    def make(folder):
        write_dataset(folder / "h.h5", **arrays)
        return command(dataset__held_out="FOLDER/h.h5", dataset__suspects=GOOD / of)(folder)
    return make


def model(name, **settings):
    return command(model__file=f"{GOOD}/{name}.pt", **settings)


def job_text(text):
    def make(folder):
        (folder / "job.toml").write_text(text)
        return ["check", str(folder / "job.toml"), "--output", str(folder / "out")]
    return make


def partners(**settings):
    """Of an audit by redrawn partners."""
    return {"usage__reference": "partners", "usage__references__count": 4, "usage__references__network": "mlp",
            **settings}


def with_output(prepare, *arguments, **settings):
    """run into a folder that `prepare` has put something into."""
    def make(folder):
        (folder / "out").mkdir()
        prepare(folder / "out")
        return run(*arguments, **settings)(folder)
    return make


def finished_results(out):
    shutil.copy(GOOD / "out" / "results.h5", out / "results.h5")


def unfinished_results(out):
    shutil.copy(GOOD / "out" / "results.h5", out / "results.h5.partial")


def truncated(source, path):
    content = source.read_bytes()
    path.write_bytes(content[:len(content) // 2])


def locked(out):
    held = open(out / ".lock", "w")
    fcntl.flock(held, fcntl.LOCK_EX)
    KEPT_OPEN.append(held)


def imported(source, write=lambda path: None, *arguments):
    def make(folder):
        write(folder / source)
        return ["import", str(folder / source), "-o", str(folder / "made.h5"),
                *(a.replace("FOLDER", str(folder)) for a in arguments)]
    return make


def numpy_file(array, labels=None):
    def write(path):
        np.save(path, array)
        if labels is not None:
            np.save(path.parent / "y.npy", labels)
    return write


def folder_of(**files):
    def write(path):
        for name, content in files.items():
            target = path / name.replace("__", "/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return write


def columns(path, **changes):
    """A results file written by hand: two signals of 30 suspects and 30 held-out samples."""
    draw = np.random.default_rng(2).normal(size=(4, 30)).astype("float32")
    ids = np.arange(30, dtype="uint64")
    arrays = {"samples/id": ids, "held_out/samples/id": ids,
              "signals/a": draw[0], "signals/b": draw[1],
              "held_out/signals/a": draw[2], "held_out/signals/b": draw[3]}
    with h5py.File(path, "w") as f:
        for name, values in {**arrays, **changes}.items():
            if values is not None:
                f[name] = values
    return path


def reduced(write, *arguments, name="reduce"):
    def make(folder):
        write(folder / "made.h5")
        return [name, str(folder / "made.h5"), *arguments]
    return make


def hand_written(*arguments, **changes):
    changes = {name.replace("__", "/"): values for name, values in changes.items()}
    return reduced(lambda path: columns(path, **changes), *arguments)


def with_direction(direction):
    def write(path):
        columns(path)
        with h5py.File(path, "a") as f:
            f["signals/a"].attrs["larger_means"] = direction
    return reduced(write)


def small_disk(kib, make_command):
    """The case's `out` is a file system of that size."""
    def make(folder):
        (folder / "out").mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder / "out")],
                                 capture_output=True)
        if mounted.returncode != 0:
            return None  # needs privileges
        MOUNTED.append(folder / "out")
        return make_command(folder)
    return make


def external(f):
    write_dataset(ROOT / "elsewhere.h5")
    f["samples"] = h5py.ExternalLink(str(ROOT / "elsewhere.h5"), "/samples")


def virtual(f):
    write_dataset(ROOT / "elsewhere.h5")
    layout = h5py.VirtualLayout((SAMPLES, 1, SIDE, SIDE), "uint8")
    layout[:] = h5py.VirtualSource(str(ROOT / "elsewhere.h5"), "samples", (SAMPLES, 1, SIDE, SIDE))
    f.create_virtual_dataset("samples", layout)


def gaps(f):
    f.create_dataset("samples", (SAMPLES, 1, SIDE, SIDE), "uint8", chunks=(10, 1, SIDE, SIDE))[:25] = 1


def ragged(f):
    f.create_dataset("samples", (SAMPLES,), h5py.vlen_dtype(np.dtype("float32")))


SHAPE = (SAMPLES, 1, SIDE, SIDE)
FLOATS = good_arrays(dtype="float32")["samples"]
LABELS = good_arrays()["labels"]
IDS = np.arange(100, 100 + SAMPLES, dtype="uint64")
RARE = np.where(np.arange(SAMPLES) < 3, 2, np.arange(SAMPLES) % 2)
BESIDE_FLOATS = {"dataset__held_out": GOOD / "floats.h5"}
MOUNTED, KEPT_OPEN = [], []
MAKING = threading.Lock()  # inputs are made by one thread at a time
MPI, SLURM, FILE_LIMIT = "also under mpirun", "SLURM_NTASKS=7", "files of at most 4 KiB"

# --- The table: name, how, exit code, what the line must say, and where it runs -----------------------------

CASES = [
    # Data set files
    ("suspects missing", command(dataset__suspects="FOLDER/none.h5"),
     DATA, ["none.h5", "no such file", "Check the path"], MPI),
    ("suspects a folder", command(dataset__suspects="FOLDER"), DATA, ["no regular file", "Check the path"]),
    ("suspects a text", suspects(lambda p: p.write_text("hello " * 99)),
     DATA, ["s.h5", "truncated", "again"]),
    ("suspects empty", suspects(lambda p: p.write_bytes(b"")), DATA, ["s.h5", "not an HDF5 file", "again"]),
    ("suspects truncated", suspects(lambda p: truncated(GOOD / "s.h5", p)), DATA, ["s.h5", "truncated"], MPI),
    ("no samples array", with_arrays(samples=None), DATA, ["s.h5: /samples is missing", "docs/data.md"]),
    ("samples a group", h5(lambda f: f.create_group("samples")),
     DATA, ["/samples is a group", "docs/data.md"]),
    ("samples of rank 1", with_arrays("N", samples=FLOATS[:, 0, 0, 0]),
     DATA, ["/samples has 1 axes", "reshape"]),
    ("samples of float64", with_arrays(samples=FLOATS.astype("float64")),
     DATA, ["/samples is float64", "astype"], MPI),
    ("samples ragged", h5(ragged), DATA, ["/samples is", "uint8 or float32"]),
    ("no samples at all", with_arrays(samples=FLOATS[:0], labels=LABELS[:0]),
     DATA, ["/samples holds no samples", "at least one"]),
    ("NaN in the suspects", with_arrays(samples=changed(FLOATS, 47, np.nan), ids=IDS, settings=BESIDE_FLOATS),
     DATA, ["nan in row 47 (id 147)", "Correct or drop"], MPI),
    ("infinity in the suspects", with_arrays(samples=changed(FLOATS, 3, -np.inf), settings=BESIDE_FLOATS),
     DATA, ["-inf in row 3", "Correct or drop"]),
    ("NaN held out", held_out("floats.h5", samples=changed(FLOATS, 59, np.nan)),
     DATA, ["h.h5: /samples has nan in row 59", "Correct or drop"]),
    ("samples never written", h5(lambda f: f.create_dataset("samples", SHAPE, "uint8")),
     DATA, ["/samples is empty", "Write all of it"]),
    ("samples written in part", h5(gaps), DATA, ["only 3 of its 6 chunks", "Write all of it"]),
    ("samples larger than any disk",
     h5(lambda f: f.create_dataset("samples", (1 << 45, 1, 8, 8), "uint8", chunks=(4096, 1, 8, 8))),
     DATA, ["/samples is incomplete", "Write all of it"]),
    ("samples by external link", h5(external), DATA, ["soft or external link", "Copy the array in"]),
    ("samples virtual", h5(virtual), DATA, ["in other files", "Copy them in"]),
    ("samples in lzf", h5(lambda f: f.create_dataset("samples", data=FLOATS, compression="lzf")),
     DATA, ["lzf", "gzip"]),
    ("layout of another order", with_arrays("CHWN"), DATA, ["layout 'CHWN'", "N first"]),
    ("layout unknown", with_arrays(None, samples=FLOATS[:, :, :, :, None]), DATA, ["5 axes", "Set it"]),
    ("labels missing", with_arrays(labels=None), DATA, ["s.h5: no /labels", "Add int64 labels"]),
    ("labels of floats", with_arrays(labels=LABELS.astype("float32")),
     DATA, ["/labels is float32", "astype"]),
    ("labels one-hot", with_arrays(labels=np.eye(3, dtype="int64")[LABELS]),
     DATA, ["/labels has 2 axes", "reshape"]),
    ("labels too few", with_arrays(labels=LABELS[:-1]), DATA, ["/labels has 59 entries, /samples 60"]),
    ("label below 0", with_arrays(labels=changed(LABELS, 5, -1)), DATA, ["-1 at row 5", "Correct"]),
    ("label outside the classes", with_arrays(labels=changed(LABELS, 7, 3), settings={"dataset__classes": 3}),
     DATA, ["label 3 at row 7", "3 classes", "Correct"], MPI),
    ("ids twice", with_arrays(ids=changed(IDS, 9, 104)),
     DATA, ["/ids has 104 at rows 4 and 9", "Number the samples anew"], MPI),
    ("ids signed", with_arrays(ids=IDS.astype("int64")), DATA, ["/ids is int64", "astype(\"uint64\")"]),
    ("held out of another shape", held_out(samples=good_arrays(9)["samples"]),
     DATA, ["h.h5", "1x9x9", "1x8x8"]),
    ("held out of another type", held_out(samples=FLOATS), DATA, ["h.h5", "another type", "Convert one"]),
    ("too many suspects asked", command(dataset__suspect_count=1000),
     USAGE, ["dataset.suspect_count asks for 1000", "its 60", "Ask for fewer"], MPI),
    ("nothing left to hold out", command(dataset__held_out=f"{GOOD}/s.h5"),
     USAGE, ["dataset.held_out_count", "all its 60", "name another file"]),
    ("class too small for partners",
     with_arrays(labels=RARE.astype("int64"), settings={"dataset__held_out": "''"}),
     DATA, ["class 2 has 3 of the suspects", "held_out"]),
    # Models
    ("model missing", command(model__file="FOLDER/none.pt"), DATA, ["none.pt", "Check the path"], MPI),
    ("model a text", command(model__file=JOB),
     DATA, ["job.toml: not a TorchScript file", "torch.jit.save"], MPI),
    ("model a state dict", model("state_dict"),
     DATA, ["state_dict.pt: not a TorchScript file", "torch.jit.save"]),
    ("model truncated", lambda f: (truncated(MODEL, f / "m.pt"), command(model__file="FOLDER/m.pt")(f))[1],
     DATA, ["m.pt: not a TorchScript file", "torch.jit.save"]),
    ("model autoregressive", model("Sequence"),
     DATA, ["Sequence.pt: logits", "[2, 5, 3]", "docs/models.md"], MPI),
    ("model returns a tuple", model("Tuple"), DATA, ["forward(x) returned a Tuple", "docs/models.md"]),
    ("model in double", model("Double"), DATA, ["double [2, 3]", "must be float32", "docs/models.md"]),
    ("model of fewer classes", model("TwoClasses"),
     DATA, ["2 logits per sample", "3 classes", "belong together"]),
    ("model gives probabilities", model("Softmax"), DATA, ["Softmax.pt: ", "sum to 1", "without its softmax"]),
    ("model gives NaN", model("NotANumber"), DATA, ["NotANumber.pt: logits hold NaN", "Check the model"]),
    ("model for other samples", model("OtherInput"),
     DATA, ["forward(x) failed on x of shape [2, 1, 8, 8]", "docs/models.md"]),
    ("model of a diffusion", model("Diffusion"), DATA, ["forward(x) failed", "docs/models.md"]),
    ("model without forward", model("Encoder"), DATA, ["Encoder.pt: no method forward(x)", "docs/models.md"]),
    ("model with bad features", model("BadFeatures"), DATA, ["features", "[2, 1, 8, 8]", "docs/models.md"]),
    ("model gives NaN once",
     run(model__file=f"{GOOD}/NotANumberOnce.pt", dataset__suspects=f"{GOOD}/bright.h5"),
     DATA, ["sample 41", "not finite", "Check the model"], MPI),
    ("model raises once", run(model__file=f"{GOOD}/Asserts.pt", dataset__suspects=f"{GOOD}/bright.h5"),
     DATA, ["Asserts.pt: forward(x) failed", "too bright"], MPI),
    ("model without a tokenizer", model("Good", model__family="autoregressive"),
     DATA, ["Good.pt: no method tokenize(x)", "docs/models.md"], MPI),
    ("model without a null label", model("NoNullLabel", model__family="autoregressive"),
     DATA, ["NoNullLabel.pt: forward(tokens, label) failed", "under label -1", "docs/models.md"]),
    ("model that ignores the label", model("IgnoresLabel", model__family="autoregressive"),
     DATA, ["IgnoresLabel.pt", "label -1", "Give the model a null class"]),
    ("model with a token too many once",
     run(model__file=f"{GOOD}/BadTokens.pt", model__family="autoregressive", dataset__suspects=f"{GOOD}/bright.h5"),
     DATA, ["BadTokens.pt: tokenize(x) gave token 6", "0 to 1"], MPI),
    ("labels missing, autoregressive",
     with_arrays(labels=None, settings={"model__file": f"{GOOD}/Autoregressive.pt", "model__family": "autoregressive"}),
     DATA, ["s.h5: no /labels", "Add int64 labels"]),
    ("diffusion without a schedule", model("NoSchedule", model__family="diffusion"),
     DATA, ["NoSchedule.pt: no buffer alphas_cumprod", "docs/models.md"], MPI),
    ("diffusion with a schedule the wrong way round", model("RisingSchedule", model__family="diffusion"),
     DATA, ["RisingSchedule.pt: alphas_cumprod goes from 0.1 to 0.99", "1 - beta"]),
    ("diffusion that gives variances too", model("LearnedVariance", model__family="diffusion"),
     DATA, ["LearnedVariance.pt: forward(x_t, t, label) gave", "[2, 2, 8, 8]", "must be the noise, float32 [2, 1, 8, 8]"]),
    ("diffusion without a null class", model("NoNullClass", model__family="diffusion"),
     DATA, ["NoNullClass.pt: the noise predicted under label -1", "equals that under label 2", "null class"]),
    ("diffusion that works in place", model("InPlace", model__family="diffusion"),
     DATA, ["InPlace.pt: forward(x_t, t, label) changes", "Copy it first"]),
    ("diffusion whose latent is drawn", model("RandomLatent", model__family="diffusion"),
     DATA, ["RandomLatent.pt: encode(x)", "from call to call"]),
    ("a classifier called a diffusion", model("Good", model__family="diffusion"),
     DATA, ["Good.pt", "docs/models.md"], MPI),
    ("labels missing, diffusion",
     with_arrays(labels=None, settings={"model__file": f"{GOOD}/GoodDiffusion.pt", "model__family": "diffusion"}),
     DATA, ["s.h5: no /labels", "Add int64 labels"]),
    ("samples that the diffusion cannot take",
     with_arrays(samples=good_arrays(9)["samples"],
                 settings=trained(model__train__network="ddpm_mlp", model__family="diffusion", dataset__held_out="''")),
     USAGE, ["\"ddpm_mlp\"", "model.train.pool=2", "1x9x9"]),
    ("signal of another family", command(usage__signals="['guidance_loss']"),
     USAGE, ["\"guidance_loss\" (unknown)", "docs/signals.md", "classifier"]),
    ("network of another family", command(**trained(model__train__network="made")),
     USAGE, ["model.train.network=\"made\"", "model.family=\"classifier\"", "Set model.family"]),
    ("reference models without a network", command(usage__references__count="4"),
     USAGE, ["usage.references.network is missing", "classifier"]),
    ("an odd number of reference models", command(usage__references__count="5", usage__references__network="mlp"),
     USAGE, ["usage.references.count=5", "Use 4"]),
    ("a reference network without a count", command(usage__references__network="mlp"),
     USAGE, ["usage.references.network=\"mlp\"", "usage.references.count=0"]),
    ("a reference network of another family", command(usage__references__count="4", usage__references__network="made"),
     USAGE, ["usage.references.network=\"made\"", "model.family=\"classifier\""]),
    ("a reference network that cannot take the samples",
     with_arrays(samples=good_arrays(9)["samples"][..., :7],
                 settings=trained(model__train__network="mlp", dataset__held_out="''", usage__references__count="4",
                                  usage__references__network="cnn")),
     USAGE, ["usage.references.network=\"cnn\"", "at least 8x8"]),
    ("reference models of a diffusion beside held-out samples",
     command(**trained(model__train__network="ddpm_mlp", model__family="diffusion", usage__references__count="4",
                       usage__references__network="ddpm_mlp")),
     USAGE, ["usage.references.count=4", "DUCI"]),
    ("reference models on more than there is",
     command(usage__references__count="4", usage__references__network="mlp", usage__references__set_size="100000"),
     USAGE, ["usage.references.set_size=100000", "no filler"]),
    ("a generator beside held-out samples", command(generator__network="ddpm"),
     USAGE, ["generator.network=\"ddpm\"", "held-out data", "usage.reference=\"partners\""]),
    ("redrawn partners without reference models", command(usage__reference="partners", generator__network="vae"),
     USAGE, ["usage.references.count=0", "calibrated", "the section generator"]),
    ("wrong labels for a model of one's own", command(dataset__label_noise="0.1"),
     USAGE, ["dataset.label_noise=0.1", "model.file", "Remove it"]),
    ("a generator's file that is not there",
     command(**partners(generator__network="vae", generator__file="none.ckpt")), DATA, ["none.ckpt"]),
    ("a generator's file that is none", command(**partners(generator__network="vae", generator__file=f"{GOOD}/s.h5")),
     DATA, ["s.h5", "not a checkpoint"]),
    ("a generator that cannot redraw", command(**partners(generator__network="gan")),
     USAGE, ["generator.network=\"gan\"", "cannot redraw", "\"ddpm\""]),
    ("a TorchScript generator without a file", command(**partners(generator__network="torchscript")),
     USAGE, ["generator.file is missing", "torchscript"]),
    ("partners to be redrawn by nothing", command(usage__reference="partners", usage__partners="redrawn"),
     USAGE, ["usage.partners=\"redrawn\"", "generator.network", "dataset.partners"]),
    ("a generator for mixtures", command(usage__reference="partners", usage__partners="mixtures", generator__network="vae"),
     USAGE, ["generator.network=\"vae\"", "usage.partners=\"mixtures\""]),
    ("partners of one's own beside a generator",
     command(usage__reference="partners", dataset__partners="p.h5", generator__network="vae"),
     USAGE, ["generator.network=\"vae\"", "dataset.partners=\"p.h5\"", "which one?"]),
    ("partners of one's own beside held-out samples", command(dataset__partners="p.h5"),
     USAGE, ["dataset.partners=\"p.h5\"", "held-out data"]),
    ("partners that are not there", command(**partners(dataset__partners="none.h5")),
     DATA, ["none.h5"]),
    ("suspects outside a generator's range",
     with_arrays(samples=good_arrays(8)["samples"].astype("float32") - 3,
                 settings=trained(**partners(dataset__held_out="''", generator__network="ddpm"))),
     DATA, ["sample 0 holds", "between 0 and 1"]),
    ("label smoothing of another family",
     command(**trained(model__train__network="made", model__family="autoregressive", model__train__label_smoothing="0.1")),
     USAGE, ["model.train.label_smoothing=0.1", "classifiers only"]),
    ("a generator of the target's family",
     command(**trained(model__train__network="ddpm_mlp", model__family="diffusion", dataset__held_out="''",
                       generator__network="ddpm", usage__references__count="4",
                       usage__references__network="ddpm_mlp")),
     USAGE, ["generator.network=\"ddpm\"", "of the target's family", "\"vae\""]),
    ("too little noise to redraw by",
     command(**partners(generator__network="ddpm", generator__timesteps="20")),
     USAGE, ["usage.redraw_strength=0.5", "generator.timesteps=20"]),
    ("a generator that cannot take the samples",
     with_arrays(samples=good_arrays(9)["samples"],
                 settings=trained(**partners(dataset__held_out="''", generator__network="ddpm"))),
     USAGE, ["\"ddpm\"", "9x9"]),
    ("a generator's file without its network", command(generator__file="g.ckpt"),
     USAGE, ["generator.file=\"g.ckpt\"", "generator.network is missing"]),
    ("reference models without loss beside held-out samples",
     command(usage__references__count="4", usage__references__network="mlp", usage__signals="['margin']"),
     USAGE, ["usage.references.count=4", "\"loss\""]),
    ("a public model for another family",
     command(**trained(model__train__network="made", model__family="autoregressive", model__public_file="g.pt")),
     USAGE, ["model.public_file=\"g.pt\"", "only classifiers"]),
    ("a public model that is not there", command(model__public_file="none.pt"), DATA, ["none.pt"]),
    ("samples that the tokenizer cannot cut",
     with_arrays(samples=good_arrays(9)["samples"],
                 settings=trained(model__train__network="made", model__family="autoregressive",
                                  dataset__held_out="''")),
     USAGE, ["\"made\"", "model.train.pool=2", "1x9x9"]),
    ("samples outside the tokenizer's range",
     command(**trained(model__train__network="made", model__family="autoregressive", dataset__mean="[0.5]",
                       dataset__deviation="[0.5]")),
     DATA, ["[0, 1]", "leave dataset.mean"]),
    ("signal needs features", command(usage__signals="['last_layer_gradient']"),
     USAGE, ["last_layer_gradient", "features", "Remove it"]),
    # Jobs
    ("job missing", lambda f: ["check", str(f / "none.toml")],
     USAGE, ["none.toml: cannot be read", "Check the job file's path"], MPI),
    ("job of broken TOML", job_text("[job]\nname = 'x'\nseed =\n"),
     USAGE, ["job.toml:3:", "Correct the line"]),
    ("job empty of data", job_text("[job]\nname = 'x'\n"),
     USAGE, ["dataset.suspects is missing", "Name a data set file"]),
    ("key unknown", command(compute__batchsize=3), USAGE, ["unknown key compute.batchsize", "dump-job"], MPI),
    ("key ill-typed", command(compute__batch_size="many"), USAGE, ["compute.batch_size", "whole number"]),
    ("key out of range", command(compute__batch_size=0),
     USAGE, ["compute.batch_size=0", "[1,", "Change it"], MPI),
    ("key not a number", command(usage__confidence="nan"), USAGE, ["usage.confidence=nan", "Change it"]),
    ("choice unknown", command(job__kind="valuations"), USAGE, ["job.kind=\"valuations\"", "usage"]),
    ("name leads elsewhere", command(job__name="../x"), USAGE, ["job.name=\"../x\"", "Use letters"]),
    ("set without a value", command("--set", "compute.threads"),
     USAGE, ["--set compute.threads", "section.key=value"]),
    ("model and training", command(model__train__network="mlp"),
     USAGE, ["model.file", "model.train.network=\"mlp\"", "Remove one"]),
    ("nothing to audit", command(model__file="''"), USAGE, ["model.file is missing", "model.train.network"]),
    ("signal unknown", command(usage__signals="['lose']"), USAGE, ["\"lose\" (unknown)", "docs/signals.md"]),
    ("normalisation of 3 channels", command(dataset__mean="[0,0,0]", dataset__deviation="[1,1,1]"),
     DATA, ["3 entries", "1 channels", "one per channel"]),
    ("normalisation to NaN", command(dataset__mean="[nan]", dataset__deviation="[1]"),
     USAGE, ["dataset.mean=nan"]),
    ("network too large for its images",
     with_arrays(samples=good_arrays(4)["samples"],
                 settings=trained(model__train__network="cnn", dataset__held_out="''")),
     USAGE, ["cnn", "1x4x4", "mlp"]),
    ("training set too small", command(**trained(model__train__set_size=3)),
     USAGE, ["model.train.set_size=3", "60 suspects"]),
    ("micro batch too large", command(**trained(model__train__batch_size=8)),
     USAGE, ["model.train.micro_batch=32", "Lower it"]),
    ("filler missing", command(**trained(model__train__filler="FOLDER/none.h5")),
     DATA, ["none.h5", "Check the path"]),
    ("option unknown", command("--frobnicate"), USAGE, ["frobnicate", "--help"]),
    ("command unknown", lambda f: ["frobnicate"], USAGE, ["--help"]),
    ("ranks unlike Slurm's", run(), USAGE, ["SLURM_NTASKS=7", "--allow-size-mismatch"], MPI, SLURM),
    # Outputs
    ("results exist", with_output(finished_results), USAGE, ["out/results.h5 exists", "--overwrite"], MPI),
    ("results exist, at check", lambda f: ["check"] + with_output(finished_results)(f)[1:],
     USAGE, ["out/results.h5 exists", "--overwrite"]),
    ("an unfinished run exists", with_output(unfinished_results),
     USAGE, ["results.h5.partial exists", "--resume"], MPI),
    ("an input that the run would remove",
     with_output(lambda o: shutil.copy(GOOD / "out" / "results.h5", o / "partners.h5"), "--overwrite",
                 **partners(dataset__partners="FOLDER/out/partners.h5")),
     USAGE, ["dataset.partners=", "out/partners.h5", "is written, or removed", "Copy it"], MPI),
    ("partners of other suspects",
     command(**partners(dataset__partners=f"{GOOD}/out/results.h5", dataset__suspects=f"{GOOD}/bright.h5")),
     DATA, ["results.h5", "was made of another suspects file"]),
    ("redraw strength of what has none", command(**partners(generator__network="vae",
                                                            usage__redraw_strength="0.7")),
     USAGE, ["usage.redraw_strength=0.7", "\"vae\" has none"]),
    ("output in use", with_output(locked), USAGE, ["another run is writing here", "--output"], MPI),
    ("output below a file", lambda f: ((f / "out").write_text(""), run()(f))[1],
     IO, ["out: cannot be written to", "--output"], MPI),
    ("output below a file, at check", lambda f: ((f / "out").write_text(""), command()(f))[1],
     IO, ["out: cannot be written to", "--output"]),
    ("resume another job", with_output(unfinished_results, "--resume", job__seed=5),
     USAGE, ["another job: job.seed = 5 (was ", "--overwrite"], MPI),
    ("resume on other data",
     with_output(unfinished_results, "--resume", dataset__suspects=f"{GOOD}/bright.h5"),
     USAGE, ["results.h5.partial", "--overwrite"]),
    ("resume a truncated file",
     with_output(lambda o: truncated(GOOD / "out" / "results.h5", o / "results.h5.partial"), "--resume"),
     DATA, ["results.h5.partial", "--overwrite"], MPI),
    ("resume from no results file",
     with_output(lambda o: shutil.copy(GOOD / "s.h5", o / "results.h5.partial"), "--resume"),
     DATA, ["results.h5.partial", "--overwrite"]),
    ("resume from a broken checkpoint",
     with_output(lambda o: (o / "target.ckpt").write_bytes(b"x" * 500), "--resume",
                 **trained(model__train__micro_batch=8)),
     DATA, ["target.ckpt", "Remove it"], MPI),
    ("disk full for the results", small_disk(8, run()), IO, ["results.h5.partial", "Free space"], MPI),
    ("disk full for the checkpoint", small_disk(4, run(**trained())), IO, ["target.ckpt", "Free space"], MPI),
    # Imports
    ("import of nothing", imported("none"), DATA, ["none", "no such file or folder"]),
    ("import of an unknown kind", imported("x.txt", lambda p: p.write_text("hello")),
     DATA, ["x.txt: of no known kind", "docs/data.md"]),
    ("import of ragged arrays",
     imported("x.npy", numpy_file(np.array([np.zeros(3), np.zeros(4)], dtype=object))),
     DATA, ["x.npy", "|O"]),
    ("import of NaN", imported("x.npy", numpy_file(np.full((5, 4), np.nan, "float32"))),
     DATA, ["sample 0 has nan", "Correct or drop it"]),
    ("import of too few labels",
     imported("x.npy", numpy_file(np.zeros((5, 4), "float32"), np.zeros(4, "int64")),
              "--labels", "FOLDER/y.npy"),
     DATA, ["y.npy: 4 labels for the 5 samples"]),
    ("import of IDX without labels", imported("a-images-idx3-ubyte", lambda p: p.write_bytes(idx_images(5))),
     DATA, ["no labels beside it", "--labels"]),
    ("import of images of two sizes",
     imported("photos", folder_of(**{"a__1.png": png(4), "b__2.png": png(5)})),
     DATA, ["2.png", "5x5", "4x4"]),
    ("import onto a file",
     lambda f: ((f / "made.h5").write_text("mine"),
                imported("x.npy", numpy_file(np.zeros((5, 4), "uint8")))(f))[1],
     USAGE, ["made.h5: exists", "--overwrite"]),
    ("import into no folder", lambda f: ["import", str(GOOD / "x.npy"), "-o", str(f / "no" / "made.h5")],
     USAGE, ["folder does not exist", "Make it"]),
    ("import of more than a file may hold", imported("x.npy", numpy_file(np.zeros((50, 4, 64), "uint8"))),
     IO, ["made.h5", "cannot be written", "free space"], FILE_LIMIT),
    ("import onto a full disk",
     small_disk(8, lambda f: ["import", str(GOOD / "large.npy"), "-o", str(f / "out" / "made.h5")]),
     IO, ["made.h5", "Make room"]),
    # Results files
    ("reduce nothing", lambda f: ["reduce", str(f / "none.h5")], DATA, ["none.h5"]),
    ("reduce a truncated file", reduced(lambda p: truncated(GOOD / "out" / "results.h5", p)),
     DATA, ["made.h5"]),
    ("reduce a data set", reduced(write_dataset), DATA, ["made.h5: no /signals", "results file"]),
    ("signals of another length", hand_written(signals__b=np.zeros(29, "float32")),
     DATA, ["made.h5: /signals/b", "[29]", "[30]"]),
    ("signals of NaN", hand_written(signals__b=np.full(30, np.nan, "float32")),
     DATA, ["signal 'b'", "nan in row 0"]),
    ("signals in one group only", hand_written(held_out__signals__b=None), DATA, ["/held_out/signals/b"]),
    ("signals without a reference", hand_written(held_out__signals__a=None, held_out__signals__b=None),
     DATA, ["non-members", "Write"]),
    ("signals without ids", hand_written(samples__id=None), DATA, ["no /samples/id", "uint64"]),
    ("signals of one sample twice", hand_written(samples__id=np.zeros(30, "uint64")),
     DATA, ["id 0 comes twice", "Remove"]),
    ("signals of no direction", with_direction("maybe"),
     DATA, ["/signals/a@larger_means is \"maybe\"", "Correct it"]),
    ("reduce with an unknown key", hand_written("--set", "usage.bootstraps=9"),
     USAGE, ["unknown key usage.bootstraps", "dump-job"]),
    ("reduce over other numbers", lambda f: ((f / "summary.json").write_text("{}"), hand_written()(f))[1],
     USAGE, ["summary.json exists", "--overwrite"]),
]

# --- Running and judging ------------------------------------------------------------------------------------


def snapshot(folder):
    """Finished-looking outputs and their contents."""
    names = ("out/results.h5", "made.h5", "made.h5.partial", "out/made.h5", "out/made.h5.partial",
             "summary.json", "out/summary.json")
    return {n: (folder / n).read_bytes() for n in names if (folder / n).is_file()}


def execute(arguments, options, folder, launcher):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1",
                   "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for name in [n for n in environment if n.startswith("SLURM_")]:
        del environment[name]
    if SLURM in options:
        environment["SLURM_NTASKS"] = "7"
    limit = None
    if FILE_LIMIT in options:
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
    process = subprocess.Popen([*launcher, *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limit)
    try:
        output, errors = process.communicate(timeout=TIMEOUT)
        return process.returncode, output, errors
    except subprocess.TimeoutExpired:
        process.terminate()  # mpirun takes its ranks with it
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return None, "", ""


def problems(code, contains, before, after, parallel, result):
    returned, output, errors = result
    if returned is None:
        return [f"hangs (no end after {TIMEOUT} s)"]
    found = []
    if returned != code:
        found.append(f"exit code {returned}, not {code}")
    lines = errors.splitlines()
    said = [line for line in lines if line.startswith("assay: ")]
    if len(said) != 1:
        found.append(f"{len(said)} lines of error, not one: {said or errors[-400:]!r}")
    for part in contains:
        if not any(part in line for line in said):
            found.append(f"does not say {part!r}")
    # mpirun adds its own banner, and Open MPI reports a full disk by itself; nothing else may speak
    strange = [x for x in lines if x not in said and not LOG_LINE.match(x) and not x.startswith("mca_")]
    if strange and not parallel:
        found.append(f"also prints {strange[0]!r}")
    if "received signal" in errors or "terminate called" in errors:
        found.append("crashes")
    if "answer:" in output:
        found.append("answers all the same")
    if after != before:
        found.append(f"leaves {sorted(k for k in after if after[k] != before.get(k))}")
    return found + ([f"says: {said[0]}"] if found and said else [])


def judge(case, number, launcher, parallel):
    """Name, and what is wrong: [] if all is well, None if it could not be tried."""
    name, make, code, contains, *options = case
    folder = ROOT / f"{number}-{len(launcher)}"
    folder.mkdir()
    with MAKING:
        arguments = make(folder)
    title = name + (" (mpirun)" if parallel else "")
    if arguments is None:
        return title, None
    before = snapshot(folder)
    result = execute(arguments, options, folder, launcher)
    return title, problems(code, contains, before, snapshot(folder), parallel, result)


def control(assay):
    """The good job must pass, else a refusal proves nothing; its results are the source of damaged ones."""
    for arguments in (command()(GOOD), run()(GOOD)):
        code, output, errors = execute(arguments, [], GOOD, [assay])
        if code != 0 or "assay: " in errors:
            sys.exit(f"the good job is refused with {code}: {errors}")
    assert (GOOD / "out" / "results.h5").is_file()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--assay", required=True)
    parser.add_argument("--mpirun", required=True)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    options = parser.parse_args()
    mpirun = [options.mpirun, "-n", "2", "--oversubscribe", "--bind-to", "none", options.assay]
    make_good_inputs()
    control(options.assay)
    chosen = [(n, case) for n, case in enumerate(CASES) if options.only in case[0]]
    passed = failed = 0

    def tell(title, wrong):
        nonlocal passed, failed
        passed += not wrong
        failed += bool(wrong)
        note = " (skipped: may not mount a small disk)" if wrong is None else ""
        print(f"FAIL {title}: " + "; ".join(wrong) if wrong else f"ok   {title}{note}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(2) as two:
        for outcome in two.map(lambda c: judge(c[1], c[0], [options.assay], False), chosen):
            tell(*outcome)
    for number, case in chosen:
        if MPI in case[4:]:
            tell(*judge(case, number, mpirun, True))
    print(f"{passed} passed, {failed} failed")
    return failed > 0 or passed == 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        for folder in MOUNTED:
            subprocess.run(["umount", str(folder)], check=False)
        shutil.rmtree(ROOT, ignore_errors=True)
