"""Models exported by Python's torch are audited with no change; their signals equal those that Python computes."""
import zlib

import h5py
import numpy as np
import torch

import common


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(64, 32)
        self.head = torch.nn.Linear(32, 4)

    def forward(self, x):
        return self.head(torch.relu(self.hidden(x.flatten(1))))


class NetWithFeatures(Net):
    @torch.jit.export
    def features(self, x):
        return torch.relu(self.hidden(x.flatten(1)))


class Pixels(torch.nn.Module):
    """Autoregressive over 8x8 pixels in 4 levels; 4 classes and the null class."""

    def __init__(self):
        super().__init__()
        self.label = torch.nn.Embedding(5, 16)
        self.token = torch.nn.Embedding(4, 16)
        self.body = torch.nn.GRU(16, 16, batch_first=True)
        self.head = torch.nn.Linear(16, 4)

    @torch.jit.export
    def tokenize(self, x):
        return (x.flatten(1) * 4).long().clamp(0, 3)

    def forward(self, tokens, label):
        start = self.label(torch.where(label < 0, 4, label)).unsqueeze(1)
        h, _ = self.body(torch.cat([start, self.token(tokens[:, :-1])], 1))
        return self.head(h)


class Denoiser(torch.nn.Module):
    """Of 8x8 images whose latent is every second pixel; 4 classes and the null class."""

    def __init__(self):
        super().__init__()
        self.register_buffer("alphas_cumprod", torch.linspace(0.999, 0.01, 200))
        self.label = torch.nn.Embedding(5, 32)
        self.time = torch.nn.Embedding(200, 32)
        self.body = torch.nn.Linear(32, 32)

    @torch.jit.export
    def encode(self, x):
        return x.flatten(1)[:, ::2]

    def forward(self, x_t, t, label):
        label = torch.where(label < 0, 4, label)
        return torch.tanh(self.body(x_t) + 0.3 * self.label(label) + 0.3 * self.time(t))


class Blur(torch.nn.Module):
    """Redraws an image as the mean of itself, its neighbours to the right, and a little noise."""

    def forward(self, x, noise, label):
        return (0.5 * x + 0.5 * x.roll(1, 3) + 0.1 * noise).clamp(0, 1)


class Restless(torch.nn.Module):
    def forward(self, x, noise, label):
        return torch.rand_like(x)


JOB = """
[job]
seed = 3
[dataset]
suspects = "{folder}/a.h5"
held_out = "{folder}/b.h5"
mean = [0.4]
deviation = [0.3]
[model]
file = "{folder}/target.pt"
[usage]
augmentations = 2
bootstrap = 60
"""


class TorchScript(common.ProgramTest):
    def make_samples(self, mean=0.0, deviation=1.0):
        """The data sets of a job; images (normalised) and labels of the suspects."""
        common.make_job(self.folder)
        with h5py.File(self.folder / "a.h5") as file:
            return (torch.tensor(file["samples"][:]).float() / 255 - mean) / deviation, torch.tensor(file["labels"][:])

    def train_and_export(self, net):
        """Memorises the first half of a.h5, in Python."""
        x, y = self.make_samples(0.4, 0.3)
        torch.manual_seed(0)
        net = net()
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(200):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[:350]), y[:350]).backward()
            optimizer.step()
        torch.jit.save(torch.jit.script(net), str(self.folder / "target.pt"))
        (self.folder / "job.toml").write_text(JOB.format(folder=self.folder))
        with torch.no_grad():
            p = net(x).log_softmax(1)
        return p.gather(1, y[:, None])[:, 0].numpy()

    def test_audit(self):
        log_p = self.train_and_export(NetWithFeatures)
        common.assay("check", self.folder / "job.toml")
        common.assay("run", self.folder / "job.toml", "--output", self.folder / "out", ranks=2)
        with h5py.File(self.folder / "out/results.h5") as file:
            self.assertEqual(file.attrs["status"], b"complete")
            self.assertEqual(len(file["signals"]), 8)
            np.testing.assert_allclose(file["signals/loss"][:], log_p, rtol=1e-4, atol=1e-5)
            self.assertNotIn("truth", file)
        common.assay("run", self.folder / "job.toml", "--output", self.folder / "alone", "--set", "output.commit_seconds=0.0")
        self.assertEqual(common.differences(self.folder / "out/results.h5", self.folder / "alone/results.h5"), "")

    def test_public_model_calibrates_the_logit(self):
        self.train_and_export(Net)
        (self.folder / "target.pt").rename(self.folder / "public.pt")
        torch.manual_seed(1)
        torch.jit.save(torch.jit.script(Net()), str(self.folder / "target.pt"))
        logits = {}
        for name, sets in (("target", []), ("public", [f"model.file={self.folder}/public.pt"]),
                           ("both", [f"model.public_file={self.folder}/public.pt"])):
            common.assay("run", self.folder / "job.toml", "--output", self.folder / name,
                         *(a for s in sets for a in ("--set", s)))
            with h5py.File(self.folder / name / "results.h5") as file:
                logits[name] = file["signals"]["calibrated_logit" if name == "both" else "logit"][:]
        np.testing.assert_allclose(logits["both"], logits["target"] - logits["public"], rtol=1e-4, atol=1e-4)

    def test_without_features_one_signal_is_missing(self):
        self.train_and_export(Net)
        common.assay("run", self.folder / "job.toml", "--output", self.folder / "out")
        with h5py.File(self.folder / "out/results.h5") as file:
            self.assertNotIn("last_layer_gradient", file["signals"])
            self.assertEqual(len(file["signals"]), 7)

    def test_autoregressive(self):
        x, y = self.make_samples()
        torch.manual_seed(0)
        net = Pixels()
        torch.jit.save(torch.jit.script(net), str(self.folder / "target.pt"))
        job = JOB.format(folder=self.folder).replace("mean = [0.4]\ndeviation = [0.3]", "")
        (self.folder / "job.toml").write_text(job.replace("[usage]", 'family = "autoregressive"\n[usage]'))
        common.assay("check", self.folder / "job.toml")
        common.assay("run", self.folder / "job.toml", "--output", self.folder / "out", ranks=2)
        with torch.no_grad():
            tokens = net.tokenize(x)
            named, null = net(tokens, y), net(tokens, torch.full_like(y, -1))

        def mean_log_p(logits):
            return logits.log_softmax(2).gather(2, tokens[:, :, None]).mean((1, 2)).numpy()

        with h5py.File(self.folder / "out/results.h5") as file:
            self.assertEqual(len(file["signals"]), 25)
            for signal, expected in (("loss", mean_log_p(named)), ("guidance_loss", mean_log_p(named - null))):
                np.testing.assert_allclose(file["signals"][signal][:], expected, rtol=1e-4, atol=1e-5)
            sizes = [len(zlib.compress(str(row).encode())) for row in tokens.tolist()]
            np.testing.assert_allclose(file["signals/guidance_zlib"][:], mean_log_p(named - null) / sizes, rtol=1e-4)

    def test_diffusion(self):
        x, y = self.make_samples(0.4, 0.3)
        torch.manual_seed(0)
        net = Denoiser()
        torch.jit.save(torch.jit.script(net), str(self.folder / "target.pt"))
        (self.folder / "job.toml").write_text(
            JOB.format(folder=self.folder).replace("[usage]", 'family = "diffusion"\n[usage]\nsignals = ["all"]'))
        common.assay("check", self.folder / "job.toml")
        common.assay("run", self.folder / "job.toml", "--output", self.folder / "out", ranks=2)
        a = net.alphas_cumprod

        def eps(z, t):
            return net(z, torch.full_like(y, t), y)

        with torch.no_grad():
            z = net.encode(x)
            own = eps(z, 0)
            t = 200 * 200 // 1000
            seen = eps(a[t].sqrt() * z + (1 - a[t]).sqrt() * own, t)
            x_0 = (a[t].sqrt() * z - (1 - a[t]).sqrt() * eps(a[t].sqrt() * z, t)) / a[t].sqrt()
            expected = {"pia": -(own - seen).abs().pow(5).sum(1).pow(0.2),
                        "reconstruction_200": -(x_0 - z).square().mean(1).log()}
        with h5py.File(self.folder / "out/results.h5") as file:
            self.assertEqual(len(file["signals"]), 45)
            for signal, values in expected.items():
                np.testing.assert_allclose(file["signals"][signal][:], values.numpy(), rtol=1e-3, atol=1e-4)
            self.assertEqual(file["signals/pia"].attrs["larger_means"], b"member")

    def test_redrawn_by_a_generator_of_ones_own(self):
        x, _ = self.make_samples()
        torch.jit.save(torch.jit.script(Blur()), str(self.folder / "blur.pt"))
        torch.jit.save(torch.jit.script(Restless()), str(self.folder / "restless.pt"))
        job = common.make_job(self.folder)
        sets = {"usage.reference": "partners", "dataset.suspect_count": 0, "model.train.epochs": 1, "model.train.filler": "", "model.train.set_size": 0,
                "generator.network": "torchscript", "usage.references.count": 4, "usage.references.network": "mlp",
                "usage.references.width": 8, "usage.references.epochs": 1}
        arguments = [a for key, value in sets.items() for a in ("--set", f"{key}={value}")]

        def blurred_by(name):
            return ("--set", f"generator.file={self.folder}/{name}.pt")

        common.assay("check", job, *arguments, *blurred_by("blur"))
        common.assay("run", job, *arguments, *blurred_by("blur"), "--output", self.folder / "out", ranks=2)
        with h5py.File(self.folder / "out/partners.h5") as file:
            once, twice = (file[f"{group}/value"][:].reshape(x.shape) for group in ("partners", "partners_2"))
        blurred = (0.5 * x + 0.5 * x.roll(1, 3)).numpy()
        inside = (blurred > 0.45) & (blurred < 0.55)
        left = (once - blurred)[inside]
        self.assertLess(abs(left.mean()), 0.02)
        self.assertAlmostEqual(left.std(), 0.1, delta=0.01)
        again = 0.5 * once + 0.5 * np.roll(once, 1, 3)
        inside = (again > 0.45) & (again < 0.55)
        self.assertAlmostEqual((twice - again)[inside].std(), 0.1, delta=0.01)
        done = common.assay("check", job, *arguments, *blurred_by("restless"), code=65)
        self.assertRegex(done.stderr, "restless.pt.*differs from call to call")

        # The file serves other jobs on the same suspects, and no others
        arguments = [a for a in arguments if "generator." not in a and a != "--set"]
        given = [a for s in arguments + [f"dataset.partners={self.folder}/out/partners.h5"] for a in ("--set", s)]
        common.assay("run", job, *given, "--output", self.folder / "again")
        self.assertEqual(common.differences(self.folder / "out/results.h5", self.folder / "again/results.h5"), "")
        with h5py.File(self.folder / "out/partners.h5") as file, h5py.File(self.folder / "other.h5", "w") as other:
            for name in ("partners/value", "partners_2/value", "samples/id"):
                other[name] = file[name][:]
            other["samples/id"][5] = 1
        done = common.assay("check", job, *given, "--set", f"dataset.partners={self.folder}/other.h5", code=65)
        self.assertRegex(done.stderr, r"other.h5: /samples/id is 1 in row 5 \(of the suspect there it is 38")
        with h5py.File(self.folder / "other.h5", "r+") as other:
            other["samples/id"][5] = 38
            other["partners_2/value"][7, 3] = 1.5
        done = common.assay("check", job, *given, "--set", f"dataset.partners={self.folder}/other.h5", code=65)
        self.assertRegex(done.stderr, r"/partners_2/value holds 1.5 in row 7")
        for spoil, said in ((lambda f: f.attrs.update(status="unfinished"), "is unfinished"),
                            (lambda f: f.create_dataset("samples/label", data=np.full(len(x), 9)),
                             "/samples/label is 9 in row 0")):
            with h5py.File(self.folder / "other.h5", "r+") as other:
                other["partners_2/value"][7, 3] = 0.5
                other.attrs.pop("status", None)
                spoil(other)
            done = common.assay("check", job, *given, "--set", f"dataset.partners={self.folder}/other.h5", code=65)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    common.main()
