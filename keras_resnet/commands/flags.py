"""How every command reads its command line. Imports next to nothing."""

import dataclasses
import difflib
import math
import pathlib
import re
import sys
import textwrap

from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_multi_string(
    "import",
    [],
    "Module of yours that registers formats, operations and the like.",
)

# {flag of ours: what other libraries call it}.
ALIASES = {
    "augmentation": "aug augment",
    "batch_size": "b batch batchsize bs global_batch_size train_batch_size "
    "per_device_train_batch_size",
    "clip_norm": "clip_grad clip_grad_norm gradient_clip max_grad_norm",
    "boundaries": "decay_epochs lr_steps milestones",
    "checkpoint_every_steps": "save_every save_freq save_steps",
    "cutmix_alpha": "cutmix",
    "dataset": "data data_path dataset_name train_dir",
    "devices": "gpu gpus n_gpus ngpus num_devices num_gpus",
    "dtype": "amp bf16 fp16 half mixed_precision precision",
    "ema_momentum": "ema ema_decay model_ema model_ema_decay",
    "erasing": "cutout random_erase random_erasing reprob",
    "eval_every_steps": "eval_freq eval_steps val_interval",
    "eval_resize": "resize val_resize_size",
    "eval_size": "test_size val_crop_size",
    "exif": "autorotate exif_transpose ignore_orientation rotate",
    "final_learning_rate": "eta_min lr_min min_lr",
    "formats": "fmt format include",
    "freeze_until": "freeze",
    "gradient_accumulation_steps": "accumulate grad_accum_steps",
    "help": "h",
    "image_size": "crop_size image_width img_size imgsz input_size "
    "resolution size train_crop_size",
    "jit_compile": "compile xla",
    "keep_checkpoints": "save_total_limit",
    "label_smoothing": "smoothing",
    "learning_rate": "base_lr initial_lr lr lr0",
    "log_every_steps": "log_interval log_steps logging_steps print_freq",
    "mixup_alpha": "mixup",
    "model": "ckpt checkpoint weights",
    "optimizer": "opt optim",
    "output": "out outdir output_dir",
    "policy": "aa auto_augment autoaugment randaugment trivialaugment",
    "repeated_augmentation": "aug_repeats ra_reps",
    "schedule": "lr_schedule lr_scheduler sched scheduler",
    "seed": "manual_seed random_state",
    "stochastic_depth": "drop_path drop_path_rate",
    "steps": "epochs iterations iters max_epochs max_iter max_steps n_epochs "
    "nepochs num_epochs num_steps train_steps",
    "target_threshold": "bce_target_thresh",
    "top": "k topk",
    "variant": "arch architecture backbone model model_name net network",
    "warmup_steps": "lr_warmup_epochs",
    "weight_decay": "l2 wd",
    "weights": "checkpoint ckpt init_checkpoint initial_checkpoint pretrained",
    "workdir": "checkpoint_dir log_dir logdir out outdir output output_dir "
    "project run_dir save_dir",
    "zero_gamma": "zero_init_last zero_init_residual",
}

_RECIPE = "keras_resnet.commands.recipe_flags"
_INDENT = 28  # column of the help of a flag
_HELP = {"--help", "-help", "-h", "--helpshort"}

_EPOCHS = (
    " Runs are counted in iterations: epochs times training images, divided "
    "by --batch_size."
)


def parse(argv, text=""):
    """The words of a command line that are no flags, for `app.run`.

    Args:
        argv: list of str, the program first.
        text: what --help says before the flags.
    """
    if _HELP.intersection(argv[1 : _end(argv)]):
        print(text.strip(), *_help(argv), sep="\n")
        sys.exit(0)
    try:
        words = FLAGS(argv)
        _check_finite()
    except (flags.Error, ValueError) as error:
        print(f"ERROR: {_explain(error)}", file=sys.stderr)
        sys.exit(2)
    except SystemExit:  # of --helpfull, which absl ends with 1
        sys.exit(0)
    return words


def _help(argv):
    """The flags of a command by groups; not those of libraries."""
    groups = {"Flags": []}
    for name, module in FLAGS.flags_by_module_dict().items():
        if name == _RECIPE:
            groups |= _recipe_groups(argv, {flag.name: flag for flag in module})
        elif _is_ours(name):
            groups["Flags"] += [(flag, flag.default) for flag in module]
    for title, rows in groups.items():
        yield f"\n{title}:"
        for flag, value in rows:
            yield _row(flag, value)


def _is_ours(name):
    """Whether a module is of this library, or stands beside the program."""
    # absl calls the module of a program by the program's path.
    if name.startswith("keras_resnet.") or name == sys.argv[0]:
        return True
    file = getattr(sys.modules.get(name), "__file__", None) or "/"
    program = pathlib.Path(sys.argv[0]).resolve()
    return program.parent in pathlib.Path(file).resolve().parents


def _recipe_groups(argv, known):
    """{title: [(flag, its value in the recipe that argv names, or None)]}."""
    from keras_resnet import recipes

    recipe, of = None, ""
    if "recipe" in FLAGS:
        named = [word.partition("=")[2] for word in argv if "-recipe=" in word]
        name = named[-1] if named else FLAGS["recipe"].default
        recipe = recipes.RECIPES.get(name)
        of = f" (of --recipe={name})"
    groups, rows = {}, []
    for field in dataclasses.fields(recipes.Recipe):
        if field.name in recipes.GROUPS:
            rows = groups.setdefault(recipes.GROUPS[field.name] + of, [])
        rows.append((known[field.name], getattr(recipe, field.name, None)))
    # A recipe inherits some fields, which come first.
    titles = [title + of for title in recipes.GROUPS.values()]
    return {title: groups[title] for title in titles}


def _row(flag, value):
    """A flag, its default, and its help beside it or below."""
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else value
    start = f"  --{flag.name}" + ("" if text in (None, "") else f"={text}")
    help_text = " ".join(flag.help.split()).partition("; repeat this")[0]
    lines = textwrap.wrap(help_text, 80 - _INDENT)
    below = len(start) > _INDENT - 2
    first = [] if below else [start.ljust(_INDENT) + lines.pop(0)]
    rest = [" " * _INDENT + line for line in lines]
    return "\n".join(([start] if below else first) + rest)


def _end(argv):
    return argv.index("--") if "--" in argv else len(argv)


def _check_finite():
    for name in FLAGS:
        value = FLAGS[name].value
        if isinstance(value, float) and not math.isfinite(value):
            raise flags.ValidationError(
                f"--{name} must be a finite number. Received: {value}."
            )


def _explain(error):
    """What is wrong with a command line, in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, flags.UnrecognizedFlagError):
        return _unknown(error.flagname, error.flagvalue)
    found = re.match(r"flag --(\w+)=(.*)", text)
    if found is None:
        return text
    name, rest = found.groups()
    if rest.startswith("None: "):
        return f"--{name} is missing. {' '.join(FLAGS[name].help.split())}"
    if isinstance(error, flags.IllegalFlagValueError):
        cause = " ".join(str(error.__context__).split())
        value = rest.removesuffix(f": {cause}")
        return f"--{name} must be {_kind(name, cause)}. Received: {value!r}."
    return text


def _kind(name, cause):
    parser = FLAGS[name].parser
    if isinstance(parser, flags.BooleanParser):
        return "true or false"
    return parser.syntactic_help or f"another value: {cause}"


def _unknown(name, word):
    near = suggestion(name, FLAGS)
    hint = f" Did you mean --{near}?" if near else ""
    hint += _EPOCHS if "epoch" in name and "batch_size" in FLAGS else ""
    return (
        f"There is no flag --{name}.{hint} --help lists all. "
        f"Received: {word!r}."
    )


def suggestion(name, known):
    """The flag among `known` that another library calls `name`, or None.

    If no known library does, the flag that looks most like `name`.
    """
    name = name.lower().replace("-", "_")
    for ours, theirs in ALIASES.items():
        if name in theirs.split() and ours in known:
            return ours
    found = difflib.get_close_matches(name, list(known), n=1)
    return found[0] if found else None
