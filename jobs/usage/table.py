"""Table of a grid of usage runs (grid.sh): `table.py FOLDER`, one row per true fraction, Markdown on standard output."""
import json
import pathlib
import statistics
import sys

cells = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*/summary.json")):
    summary = json.loads(path.read_text())
    cells.setdefault(summary["truth"]["fraction"], []).append(summary)


def mean(values, form="{:.3f}"):
    values = [v for v in values if v is not None]
    return form.format(statistics.mean(values)) if values else "-"


def row(name, runs):
    usage = [run["usage"] for run in runs]
    truth = [run["truth"]["fraction"] for run in runs]
    # What the report says: nothing found is 0; a refusal says nothing and counts in no error
    said = [0.0 if u["status"] == "no evidence" else u["fraction"] for u in usage]
    errors = [s - t for s, t in zip(said, truth) if s is not None]
    covered = [u["interval"][0] <= t <= u["interval"][1] for u, t in zip(usage, truth) if u["interval"]]
    raw = [u["details"]["unreported_fraction"] - t for u, t in zip(usage, truth)]
    statuses = {}
    for u in usage:
        statuses[u["status"]] = statuses.get(u["status"], 0) + 1
    spread = statistics.stdev(errors) if len(errors) > 1 else None
    print(f"| {name} | {len(runs)} | {mean(r['truth']['member_auc'] for r in runs)} "
          f"| {', '.join(f'{v} {k}' for k, v in statuses.items())} | {mean(s for s in said)} "
          f"| {mean(map(abs, errors))} | {mean(errors, '{:+.3f}')} | {mean([spread])} "
          f"| {f'{sum(covered)}/{len(covered)}' if covered else '-'} "
          f"| {mean(u['interval'][1] - u['interval'][0] for u in usage if u['interval'])} "
          f"| {mean(u['lower_bound'] for u in usage)} / {max(u['lower_bound'] for u in usage):.3f} "
          f"| {sum(u['lower_bound'] <= t for u, t in zip(usage, truth))}/{len(runs)} | {mean(map(abs, raw))} |")


print("| true p | runs | AUC members | status | mean said | MAE | bias | sd | coverage | width | bound mean / max "
      "| bound <= p | MAE without refusals |")
print("|" + "---|" * 13)
for fraction, runs in sorted(cells.items()):
    row(f"{fraction:g}", runs)
row("all", [run for runs in cells.values() for run in runs])
