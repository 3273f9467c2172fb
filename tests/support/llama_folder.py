"""A small Hugging Face folder of a Llama, made without transformers."""

import json
import random
import struct

LAYERS = 2
BYTES = {"F32": 4, "BF16": 2, "F64": 8, "I64": 8, "U8": 1, "F8_E4M3": 1}
CONFIG = {
    "model_type": "llama", "vocab_size": 0, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": LAYERS,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "hidden_act": "silu",
    "rope_theta": 10000.0, "tie_word_embeddings": False, "pad_token_id": None, "torch_dtype": "float32", "use_cache": True,
}  # fmt: skip


class Folder:
    """A config and tensors, name -> (dtype, shape, bytes), which a test may change before it takes the files."""

    def __init__(self, vocab_size, seed=0):
        self.config = {**CONFIG, "vocab_size": vocab_size}
        self._random = random.Random(seed)
        self.tensors = {}
        self.add("model.embed_tokens.weight", vocab_size, 16)
        for layer in range(LAYERS):
            name = f"model.layers.{layer}."
            for part, *shape in (("self_attn.q_proj", 16, 16), ("self_attn.k_proj", 8, 16), ("self_attn.v_proj", 8, 16),
                                 ("self_attn.o_proj", 16, 16), ("mlp.gate_proj", 20, 16), ("mlp.up_proj", 20, 16),
                                 ("mlp.down_proj", 16, 20), ("input_layernorm", 16), ("post_attention_layernorm", 16)):  # fmt: skip
                self.add(f"{name}{part}.weight", *shape)
        self.add("model.norm.weight", 16)
        self.add("lm_head.weight", vocab_size, 16)

    def add(self, name, *shape, dtype="F32"):
        count = 1
        for size in shape:
            count *= size
        if dtype == "F32":
            values = [self._random.uniform(-0.1, 0.1) + (len(shape) == 1) for _ in range(count)]
            content = struct.pack(f"<{count}f", *values)
        else:
            content = bytes(count * BYTES[dtype])
        self.tensors[name] = (dtype, list(shape), content)

    def rename(self, old, new):
        self.tensors[new] = self.tensors.pop(old)

    def files(self, shards=1):
        """Name -> content, with an index if there are several shards."""
        files = {"config.json": json.dumps(self.config).encode()}
        names = sorted(self.tensors)
        if shards == 1:
            return {**files, "model.safetensors": packed(self.tensors)}
        weight_map = {}
        for i in range(shards):
            file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
            files[file] = packed({name: self.tensors[name] for name in names[i::shards]})
            weight_map |= dict.fromkeys(names[i::shards], file)
        files["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
        return files


def packed(tensors, change_header=None):
    """A safetensors file."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    if change_header:
        change_header(header)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def unpacked(content):
    """Header and tensors, name -> (dtype, shape, bytes), of a safetensors file."""
    (size,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + size])
    data = content[8 + size :]
    tensors = {
        name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
        for name, entry in header.items() if name != "__metadata__"
    }  # fmt: skip
    return header, tensors
