"""Audits whose assumptions are broken on purpose (docs/experiments/usage_stress.md).

selection: the easiest, the hardest half of the suspects, or every other class, are what was used
partners:  redrawn partners are blurred, or made noisy, before they are compared

    python3 tests/benchmark/usage_stress.py selection --assay build/release/assay --output runs/stress --seeds 1 2
"""
import argparse
import json
import pathlib
import subprocess

import h5py
import numpy as np
import torch

SUSPECTS, CLASSES, NOISE = 1000, 10, 0.3


def net():
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1),
                         nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(),
                         nn.Linear(128, CLASSES))


def train(x, y, epochs, seed):
    torch.manual_seed(seed)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def losses(model, x, y):
    with torch.no_grad():
        return torch.nn.functional.cross_entropy(model(x), y, reduction="none").numpy()


class World:
    """Suspects with some labels replaced, and as many images of the same kind to fill up with."""

    def __init__(self, folder, seed, epochs):
        self.folder, self.seed, self.epochs = folder, seed, epochs
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(seed)
        with h5py.File("data/fashion-mnist-train.h5") as file:
            rows = np.sort(random.choice(len(file["labels"]), 4 * SUSPECTS, replace=False))
            self.images, y = file["samples"][rows], file["labels"][rows].astype("int64")
        wrong = random.random(len(y)) < NOISE
        self.labels = np.where(wrong, (y + random.integers(1, CLASSES, len(y))) % CLASSES, y)
        order = random.permutation(4 * SUSPECTS)
        self.suspects, self.filler, self.others = order[:SUSPECTS], order[SUSPECTS:2 * SUSPECTS], order[2 * SUSPECTS:]
        with h5py.File(folder / "suspects.h5", "w") as file:
            file["samples"], file["labels"] = self.images[self.suspects], self.labels[self.suspects]
            file["samples"].attrs["layout"] = "NCHW"

    def tensors(self, rows):
        return torch.tensor(self.images[rows]).float() / 255, torch.tensor(self.labels[rows])

    def target(self, used, name):
        """Trained on the used suspects and filler, 1,000 in all."""
        rows = np.concatenate([self.suspects[used], self.filler[:SUSPECTS - used.sum()]])
        path = self.folder / f"{name}.pt"
        torch.jit.save(torch.jit.script(train(*self.tensors(rows), self.epochs, self.seed)), str(path))
        return path

    def audit(self, assay, name, target, *settings):
        """What assay says, and how much of it; the generator and partners of the first audit serve the others."""
        output = self.folder / name
        sets = [f"dataset.suspects={self.folder}/suspects.h5", "dataset.suspect_count=0", "dataset.label_noise=0.0",
                f"job.seed={self.seed}", f"model.file={target}", "model.train.network=", *settings]
        if not any(s.startswith("dataset.partners") for s in settings):
            made = sorted(self.folder.glob("*/partners.h5"))
            sets += [f"dataset.partners={made[0]}", "generator.network="] if made else []
        command = [assay, "run", self.folder / "job.toml", "--output", output, "--overwrite"]
        text = pathlib.Path("jobs/usage/classifier.toml").read_text().split("[sweep.grid]")[0]
        (self.folder / "job.toml").write_text(text)
        subprocess.run([str(a) for a in command + [a for s in sets for a in ("--set", s)]], check=True,
                       stdout=subprocess.DEVNULL)
        return json.loads((output / "summary.json").read_text())["usage"]


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |", flush=True)


def shown(usage):
    details = usage["details"]
    fraction = "-" if usage["fraction"] is None else f"{usage['fraction']:.2f}"
    return (usage["status"], fraction, f"{details['best_bin']:.2f}", f"{usage['lower_bound']:.2f}",
            f"{max(0, details['dkw_bound'] - details['control_excess']):.2f}",
            f"{details['control_shift']:.2f}", f"{details['regime_spread']:.2f}")


COLUMNS = ("status", "fraction", "best bin", "bound", "bound of the rest", "control shift", "spread")


def selection(options):
    row("used", "seed", *COLUMNS)
    row(*["---"] * (2 + len(COLUMNS)))
    for seed in options.seeds:
        world = World(options.output / f"selection-{seed}", seed, options.epochs)
        judge = train(*world.tensors(world.others), 8, seed)  # of other data: who is easy does not hang on the target
        loss = losses(judge, *world.tensors(world.suspects))
        rank = loss.argsort().argsort()
        halves = {"a random half": np.random.default_rng(seed).permutation(SUSPECTS) < SUSPECTS // 2,
                  "the easiest half": rank < SUSPECTS // 2, "the hardest half": rank >= SUSPECTS // 2,
                  "every other class": world.labels[world.suspects] % 2 == 0}
        for name, used in halves.items():
            label = name.split()[-2 if "half" in name else -1]
            usage = world.audit(options.assay, label, world.target(used, label))
            row(f"{name} ({used.mean():.2f})", seed, *shown(usage))


def blur(images, times):
    for _ in range(times):
        padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
        images = sum(padded[:, :, i:i + 28, j:j + 28] for i in range(3) for j in range(3)) / 9
    return images


def partners(options):
    row("partners", "p", "seed", *COLUMNS)
    row(*["---"] * (3 + len(COLUMNS)))
    for seed in options.seeds:
        world = World(options.output / f"partners-{seed}", seed, options.epochs)
        random = np.random.default_rng(seed)
        for p in (0, 0.5):
            used = random.permutation(SUSPECTS) < p * SUSPECTS
            target = world.target(used, f"target-{p}")
            row("as redrawn", p, seed, *shown(world.audit(options.assay, f"redrawn-{p}", target)))
            made = sorted(world.folder.glob("*/partners.h5"))[0]
            spoilers = {"blurred": lambda x, n: blur(x, n), "noisy": lambda x, n: np.clip(
                x + 0.05 * n * random.normal(size=x.shape), 0, 1)}
            for name, spoil in spoilers.items():
                for times in (1, 2):
                    path = world.folder / f"{name}-{times}.h5"
                    with h5py.File(made) as clean, h5py.File(path, "w") as file:
                        file["samples/id"] = clean["samples/id"][:]
                        for group in ("partners", "partners_2"):  # the same is done to both: the control may not see it
                            x = clean[f"{group}/value"][:].reshape(-1, 1, 28, 28)
                            file[f"{group}/value"] = spoil(x, times).reshape(len(x), -1).astype("float32")
                    usage = world.audit(options.assay, f"{name}-{times}-{p}", target, f"dataset.partners={path}",
                                        "generator.network=")
                    row(f"{name}, {times}", p, seed, *shown(usage))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("selection", "partners"))
    parser.add_argument("--assay", default="build/release/assay")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/stress"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--epochs", type=int, default=30, help="of the target")
    options = parser.parse_args()
    torch.set_num_threads(1)
    {"selection": selection, "partners": partners}[options.what](options)


if __name__ == "__main__":
    main()
