"""`lindyn predict`: what the normalised theory says of a training run before it is started."""

import argparse
from pathlib import Path
from typing import Any

from lindyn import _files
from lindyn._option_table import OptionTable
from lindyn._options import Option
from lindyn.commands import drawing
from lindyn.commands.flags import add_command
from lindyn.commands.train import config_of, require_training, training_keys
from lindyn.outputs import places

DEFAULT_OUT = "lindyn-out/predict"
DESCRIPTION = """\
Before training: will this run collapse, to what effective rank, with what norms, and how sure is that? The untrained
network is built, and its last layers take the run's own steps on Gaussian inputs that have nothing of the images but
mean, X and X' of what these layers see; the deep linear theory stands beside. Nothing is fitted.

  lindyn predict                                           the default of lindyn train
  lindyn predict CONFIG.toml optim.weight_decay=1e-2       a file, one key changed; keys are those of lindyn train
  lindyn predict --sweep optim.weight_decay=log:1e-4:1e-1:9 --sweep method.ema=0,0.9,0.99,0.999
                                                           a map; interrupted, the same command goes on

Writes prediction.json and prediction.png (map.json and map.png of a sweep) to --out. What the theory leaves out of the
network is said; how such predictions came out before stands beside. lindyn train --keys lists the keys.
"""

TABLE = OptionTable(
    (
        Option("sweep", "texts", None, "a key over values: KEY=LOW:HIGH:COUNT, KEY=log:..., KEY=a,b,c; may be repeated",
               metavar="KEY=RANGE"),
        Option("linear", "switch", False, "the deep linear theory alone: faster, without activations and minibatches"),
        Option("out", str, None, f"output folder (default {DEFAULT_OUT}, and what is swept)", metavar="DIR", free=True,
               path=True),
        drawing.FORMAT,
        Option("overwrite", "switch", False, "replace a prediction of something else", free=True),
    )
)  # fmt: skip


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    summary = "what the theory says of a training run before it is started"
    parser = add_command(commands, "predict", summary, DESCRIPTION, TABLE, run)
    parser.add_argument(
        "words", nargs="*", metavar="CONFIG.toml key=value",
        help="a configuration of lindyn train (default: the embedded images), and keys to change",
    )  # fmt: skip
    parser.words_anywhere, parser.keys = True, training_keys


def run(args: argparse.Namespace) -> int:
    """Predict and write; 0 when it is written.

    Raises:
        ValueError: a configuration that cannot be predicted, in one sentence; nothing is written then.
        OSError: nothing can be written.
        ImportError: a package of the extra `train` is missing.
    """
    require_training()
    config, words = config_of(args.words)
    swept = _spans(args.sweep or [])
    out, command = _place(args, words)
    if swept:
        return _map(config, swept, out, command, not args.linear)
    from lindyn.bridge.prediction import prediction_text
    from lindyn.bridge.prediction.prediction import predict
    from lindyn.bridge.training.run_folder import title
    from lindyn.plotting.prediction_pictures import draw_prediction

    told = predict(config, surrogate=not args.linear, time_training=True)
    figure = draw_prediction(told.path, told.linear, f"Predicted: {title(config)}", prediction_text.headline(told))
    with _files.together(out, what="the prediction") as fresh:
        _write_picture(figure, fresh / "prediction.png", command)
        _files.write_json(fresh / "prediction.json", {"command": command, **told.as_json()})
    print(prediction_text.screen(told, [str(out / name) for name in ("prediction.png", "prediction.json")]), end="")
    return 0


def _spans(texts: list[str]) -> dict[str, list[Any]]:
    from lindyn.bridge.prediction.prediction_map import span_of

    found: dict[str, list[Any]] = {}
    for text in texts:
        key, values = span_of(text)
        if key in found:
            raise ValueError(f"--sweep names {key} twice; give all its values at once.")
        found[key] = values
    return found


def _place(args: argparse.Namespace, words: list[str]) -> tuple[Path, str]:
    """Return the folder, and the command line that makes what is in it."""
    given = TABLE.given(args)
    command = TABLE.command(" ".join(["lindyn predict", *words]), given)
    if args.out is not None:
        out = places.as_folder(args.out)
    elif words or args.sweep or args.linear:
        shown = [Path(word).name if "=" not in word else word for word in words]
        out = Path(DEFAULT_OUT).with_name(places.run_name(TABLE.command(" ".join(["predict", *shown]), given), command))
    else:
        out = Path(DEFAULT_OUT)
    name = "map.json" if args.sweep else "prediction.json"
    places.check_free(out / name, command, args.overwrite, (out / "prediction.png", out / "map.png"))
    return out, command


def _map(config: Any, swept: dict[str, list[Any]], out: Path, command: str, surrogate: bool) -> int:
    """Predict a map, cell after cell into map.jsonl; draw it and say what it shows."""
    from lindyn._progress import Progress
    from lindyn.bridge.prediction import prediction_map
    from lindyn.plotting.prediction_pictures import draw_prediction_map

    size = 1
    for values in swept.values():
        size *= len(values)
    bar = Progress("predict", size)
    store = out / "map.jsonl"
    ds = prediction_map.predict_map(config, swept, store, surrogate, progress=lambda done, of: bar(done))
    bar.close()
    figure = draw_prediction_map(ds, "Predicted collapse before training")
    with _files.together(out, what="the map") as fresh:
        _write_picture(figure, fresh / "map.png", command)
        _files.write_json(fresh / "map.json", {"command": command, **ds.to_dict()})
    print(prediction_map.words(ds))
    print(f"Written: {out / 'map.png'}, {out / 'map.json'}.")
    return 0


def _write_picture(figure: Any, path: Path, command: str) -> None:
    from lindyn.plotting import style

    style.write(figure, path, command=command)
