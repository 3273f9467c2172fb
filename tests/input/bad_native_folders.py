"""Hugging Face folders that must be refused, and folders damaged at random."""

import copy
import json
import math
import pathlib
import random
import struct

from bad_case import SPECIAL_FILES, Case
from llama_folder import BYTES, Folder

CODES = (4,)
FAMILIES = pathlib.Path(__file__).resolve().parent.parent / "data" / "native_families"

# What section after section of a config.json may ask for that native models do not have: family, changes, parts of the
# message. The folders of these families come from tests/data/native_families.
REFUSED_KEYS = [
    ("llama", {"model_type": "opt"}, "model_type", '"opt"'),
    ("llama", {"model_type": "gpt_neo"}, "model_type", '"gpt_neo"'),
    ("llama", {"model_type": "mixtral"}, "model_type", '"mixtral"'),
    ("llama", {"model_type": "gpt_oss"}, "model_type", '"gpt_oss"'),
    ("llama", {"model_type": "bloom"}, "model_type", '"bloom"'),
    ("llama", {"model_type": "mamba"}, "model_type", '"mamba"'),
    ("llama", {"model_type": "lfm2"}, "model_type", '"lfm2"'),
    *[("llama", {"rope_parameters": {"rope_type": kind, "factor": 2.0}}, "rope_parameters.rope_type", f'"{kind}"')
      for kind in ("dynamic", "yarn", "longrope", "proportional", "mrope")],
    *[("llama", {"rope_scaling": {"type": kind, "factor": 2.0}}, "rope_scaling.type", f'"{kind}"')
      for kind in ("dynamic", "yarn", "su")],
    ("phi3", {"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}}, "rope_scaling.type", '"longrope"'),
    ("phi", {"qk_layernorm": True}, "qk_layernorm", "true"),
    ("stablelm", {"qk_layernorm": True}, "qk_layernorm", "true"),
    ("cohere", {"use_qk_norm": True}, "use_qk_norm", "true"),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx", "true"),
    ("gpt2", {"add_cross_attention": True}, "add_cross_attention", "true"),
    ("gemma", {"use_bidirectional_attention": True}, "use_bidirectional_attention", "true"),
    ("gemma2", {"use_bidirectional_attention": True}, "use_bidirectional_attention", "true"),
    ("gemma3_text", {"use_bidirectional_attention": True}, "use_bidirectional_attention", "true"),
    ("qwen3", {"layer_types": ["linear_attention", "full_attention", "full_attention"]}, "layer_types[0]", '"linear_attention"'),
    ("llama", {"num_local_experts": 8}, "num_local_experts", "8"),
    ("llama", {"alibi": True}, "alibi", "true"),
    ("llama", {"attention_sinks": 4}, "attention_sinks", "4"),
    ("llama", {"a_key_of_tomorrow": "on"}, "a_key_of_tomorrow", '"on"'),
    ("llama", {"hidden_act": "quick_gelu"}, "hidden_act", '"quick_gelu"'),
    ("gpt2", {"activation_function": "mish"}, "activation_function", '"mish"'),
    ("llama", {"quantization_config": {"quant_method": "gptq", "bits": 4}}, "quantization_config", "quantized"),
    ("llama", {"is_encoder_decoder": True}, "is_encoder_decoder", "true"),
    ("llama", {"per_layer_config": {"0": {"hidden_act": "relu"}}}, "per_layer_config", "an object"),
    ("llama", {"num_hidden_layers": 3}, "model.layers.2.", "has no tensor"),
    ("llama", {"num_hidden_layers": 1}, "model.layers.1.", "does not have"),
    ("llama", {"hidden_size": 1 << 20, "head_dim": 6}, "F32 [37, 1048576]", "embed_tokens"),
    ("llama", {"vocab_size": 1 << 20}, "F32 [1048576, 18]", "embed_tokens"),
    ("llama", {"num_hidden_layers": 10_000}, "has no tensor", "model.layers.2."),
    ("llama", {"num_hidden_layers": 10**9}, "num_hidden_layers", "1000000000"),
    ("llama", {"vocab_size": 10**15}, "vocab_size", "1000000000000000"),
    ("llama", {"attention_bias": True}, "has no tensor", "q_proj.bias"),
    ("gpt2", {"n_positions": 63}, "wpe.weight", "F32 [64, 18]"),
]  # fmt: skip


def changed_keys(family, changes):
    """The files of a family's folder with other keys in its config."""
    files = {path.name: path.read_bytes() for path in (FAMILIES / family).iterdir() if path.name != "expected.safetensors"}
    config = json.loads(files["config.json"])
    if "rope_scaling" in changes:
        config.pop("rope_parameters", None)
    return {**files, "config.json": json.dumps(config | changes).encode()}


def changed_tensors(vocab_size):
    """Name, files, parts of the message."""

    def folder(change, shards=1):
        made = Folder(vocab_size)
        change(made)
        return made.files(shards)

    q_proj = "model.layers.0.self_attn.q_proj.weight"
    for name in ("model.embed_tokens.weight", q_proj, "model.norm.weight", "lm_head.weight"):
        yield f"without {name}", folder(lambda made, name=name: made.tensors.pop(name)), (name,)
    yield "a bias more", folder(lambda made: made.add("model.layers.1.mlp.up_proj.bias", 20)), ("model.layers.1.mlp.up_proj.bias",)
    yield "quantized tensors", folder(lambda made: made.add("model.layers.0.self_attn.q_proj.qweight", 2, dtype="I64")), ("qweight",)
    yield "a matrix turned round", folder(lambda made: made.add("model.layers.0.mlp.down_proj.weight", 20, 16)), ("[20, 16]", "[16, 20]")
    yield "a matrix as a vector", folder(lambda made: made.add(q_proj, 256)), (q_proj, "[256]")
    for dtype in ("F64", "I64", "U8", "F8_E4M3"):
        yield dtype, folder(lambda made, dtype=dtype: made.add(q_proj, 16, 16, dtype=dtype)), ("q_proj",)

    def with_value(made, value):
        dtype, shape, content = made.tensors[q_proj]
        made.tensors[q_proj] = (dtype, shape, content[:40] + struct.pack("<f", value) + content[44:])

    for value in (math.nan, math.inf, -math.inf):
        yield f"a weight {value}", folder(lambda made, value=value: with_value(made, value)), (q_proj, "NaN or infinite")

    def in_a_module(made):
        made.tensors = {f"module.{name}": value for name, value in made.tensors.items()}

    yield "as DataParallel saves", folder(in_a_module), ("module.",)
    yield "half a prefix", folder(lambda made: made.rename(q_proj, q_proj.removeprefix("model."))), (q_proj,)
    good = Folder(vocab_size).files()
    weights = good["model.safetensors"]
    config = {"config.json": good["config.json"]}
    yield "no weights", config, ("has no model.safetensors",)
    yield "pickled weights", {**config, "pytorch_model.bin": b"PK\3\4"}, ("pytorch_model.bin",)
    yield "no config", {"model.safetensors": weights}, ("config.json",)
    for name, value in {"empty": b"", "a list": b"[]", "null": b"null", "cut": good["config.json"][:40],
                        "noise": b"\xff\xfe{}", "nested": b'{"a":' * 9999, "an LFS pointer": b"version https://git-lfs.github.com/spec/v1\n",
                        "a key twice": good["config.json"].replace(b'"hidden_size"', b'"vocab_size": 5, "hidden_size"')}.items():  # fmt: skip
        yield f"config.json {name}", {**good, "config.json": value}, ("config.json",)
    for name, value in {"empty": b"", "short": b"\1\0\0", "a huge header": struct.pack("<Q", 1 << 62), "an LFS pointer": b"version https://",
                        "cut": weights[:-1], "longer": weights + b"\0", "a header of no JSON": struct.pack("<Q", 2) + b"[}"}.items():  # fmt: skip
        yield f"model.safetensors {name}", {**good, "model.safetensors": value}, ("model.safetensors",)
    for name, make in SPECIAL_FILES.items():
        for file in good:
            yield f"{file} is {name}", {**good, file: make}, (file,)


def changed_indices(vocab_size):
    """Name, files, parts of the message."""
    good = Folder(vocab_size).files(2)
    index = "model.safetensors.index.json"
    one, two = (f"model-0000{i}-of-00002.safetensors" for i in (1, 2))
    weight_map = json.loads(good[index])["weight_map"]

    def with_map(changes):
        return {**good, index: json.dumps({"weight_map": weight_map | changes}).encode()}

    yield "a shard is missing", {name: value for name, value in good.items() if name != two}, (two,)
    yield "a shard is of another", {**good, two: good[one]}, (two,)
    yield "a shard is cut", {**good, two: good[two][:-9]}, (two,)
    yield "the index names another shard", with_map({"lm_head.weight": two if weight_map["lm_head.weight"] == one else one}), ("lm_head.weight",)
    yield "the index names a tensor more", with_map({"model.x": one}), ("model.x",)
    for name, value in {"of another folder": "../" + one, "of an absolute path": "/etc/passwd", "that is none": None, "of no text": ""}.items():
        yield f"the index names a file {name}", with_map({"lm_head.weight": value}), ("index.json",)
    for name, value in {"empty": b"", "no object": b"[]", "without a map": b"{}", "an empty map": b'{"weight_map": {}}', "cut": good[index][:99],
                        "an empty map twice": b'{"weight_map": {"a": "b"}, "weight_map": {}}'}.items():  # fmt: skip
        yield f"the index is {name}", {**good, index: value}, ("index.json",)
    for name, make in SPECIAL_FILES.items():
        yield f"the index is {name}", {**good, index: make}, ("index.json",)
        yield f"a shard is {name}", {**good, two: make}, (two,)


def refused_cases(vocab_size):
    """The message must hold all parts of a case, which stand for one with "|" between them."""
    found = []

    def add(kind, name, files, parts):
        arguments = ["--config", "run.json", "--model_path", "bad"]
        in_folder = {f"bad/{file}": content for file, content in files.items()}
        found.append(Case(kind, name, CODES, arguments, lambda _: in_folder, "|".join(parts)))

    for family, changes, *parts in REFUSED_KEYS:
        add("config.json", f"{family} {json.dumps(changes)}", changed_keys(family, changes), parts)
    for name, files, parts in changed_tensors(vocab_size):
        add("tensors", name, files, parts)
    for name, files, parts in changed_indices(vocab_size):
        add("index", name, files, parts)
    return found


WRONG_VALUES = [
    None, True, False, 0, -1, 1, 2, 3, 17, 64, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 62, 10**30, -(1 << 62), 0.5, -0.5, 1e-300, 1e308, "", "llama",
    "gelu", "full_attention", [], [1, 2], [0] * 99, ["full_attention"] * 2, {}, {"rope_type": "linear", "factor": 1e9}, {"rope_theta": -1}, "\x1b[31m\n",
]  # fmt: skip


class Damage:
    """Damages folders, each in one way of several."""

    def __init__(self, seed, vocab_size):
        self._random = random.Random(seed)
        self._good = Folder(vocab_size)

    def noise(self, content):
        """With bytes flipped, cut, doubled or put in."""
        if not content:
            return b"\0"
        at = self._random.randrange(len(content))
        way = self._random.randrange(4)
        if way == 0:
            return content[:at]
        if way == 1:
            return content[:at] + content[at // 2 :]
        if way == 2:
            return content[:at] + self._random.randbytes(self._random.randrange(1, 9)) + content[at:]
        changed = bytearray(content)
        for _ in range(self._random.randrange(1, 9)):
            changed[self._random.randrange(len(changed))] ^= 1 << self._random.randrange(8)
        return bytes(changed)

    def noise_in_header(self, content):
        (size,) = struct.unpack_from("<Q", content)
        return self.noise(content[: 8 + size]) + content[8 + size :]

    def change_config(self, config):
        for _ in range(self._random.randrange(1, 3)):
            key = self._random.choice(sorted(config) + ["rope_scaling", "rope_parameters", "head_dim", "attention_bias", "new", "attention_dropout"])
            if self._random.random() < 0.2:
                config.pop(key, None)
            else:
                config[key] = self._random.choice(WRONG_VALUES)

    def change_tensors(self, folder):
        name = self._random.choice(sorted(folder.tensors))
        dtype, shape, content = folder.tensors[name]
        way = self._random.randrange(5)
        if way == 0:
            del folder.tensors[name]
        elif way == 1:
            folder.rename(name, name.replace(*self._random.choice([("model.", ""), ("weight", "bias"), ("0", "7"), ("o", "\n"), ("layers", "LAYERS")])))
        elif way == 2:
            folder.tensors[name] = (self._random.choice([*BYTES, "BOOL", "?"]), shape, content)
        elif way == 3:
            folder.tensors[name] = (dtype, self._random.choice([[], [0], shape[::-1], [1 << 40, 1 << 40], [-1, *shape], [*shape, 1]]), content)
        else:
            folder.add(name, *[self._random.randrange(1, 50) for _ in range(self._random.randrange(3))])

    def files(self):
        folder = copy.deepcopy(self._good)
        way = self._random.randrange(6)
        if way == 0:
            self.change_config(folder.config)
        elif way == 1:
            self.change_tensors(folder)
        files = folder.files(self._random.choice([1, 1, 2]))
        shard = self._random.choice(sorted(name for name in files if name.endswith(".safetensors")))
        index = "model.safetensors.index.json"
        if way == 2:
            files["config.json"] = self.noise(files["config.json"])
        elif way == 3:
            files[shard] = self.noise_in_header(files[shard])
        elif way == 4:
            files[shard] = self.noise(files[shard])
        elif way == 5:
            name = index if index in files else self._random.choice(sorted(files))
            files[name] = self.noise(files[name])
        return {f"bad/{name}": content for name, content in files.items()}


def damaged_folders(seed, count, vocab_size):
    damage = Damage(seed, vocab_size)
    return [damage.files() for _ in range(count)]
