"""Makes expected.json: what transformers makes of the keys of config.json, for every native family.

    .venv/bin/python tests/data/family_configs/make_expected.py

Each line of "cases" has a name, a config, and what the config and the modules of the model that
transformers builds of it say; see describe(). Nothing of it is computed by pdl-train.
"""

import json
import os
import pathlib
import re
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
warnings.filterwarnings("ignore")
import torch
import transformers

transformers.logging.set_verbosity(50)
HERE = pathlib.Path(__file__).resolve().parent

FAMILIES = ("llama mistral qwen2 qwen3 gemma gemma2 gemma3_text phi3 phi smollm3 olmo olmo2 stablelm gpt2 gpt_neox "
            "granite cohere cohere2 starcoder2 exaone4").split()  # fmt: skip
SMALL = {"vocab_size": 37, "hidden_size": 24, "intermediate_size": 20, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 3}  # fmt: skip
GPT2 = {"vocab_size": 37, "n_embd": 24, "n_layer": 2, "n_head": 4}
# Of 24 dimensions, 4 heads have too few for a share of 0.25 of them.
NEOX = {**{k: v for k, v in SMALL.items() if k != "num_key_value_heads"}, "hidden_size": 32}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}


def small(family):
    return {"gpt2": GPT2, "gpt_neox": NEOX, "stablelm": {**SMALL, "hidden_size": 32}, "phi": {**SMALL, "hidden_size": 32}}.get(family, SMALL)


# name: family, what is added to its small config.
CASES = {
    "theta at the top": ("llama", {"rope_theta": 5e5}),
    "rope_parameters before the top": ("llama", {"rope_theta": 5e5, "rope_parameters": {"rope_theta": 3e4}}),
    "the top fills rope_parameters": ("llama", {"rope_theta": 5e5, "rope_parameters": {"rope_type": "linear", "factor": 4}}),
    "rope_scaling replaces rope_parameters": (
        "llama", {"rope_parameters": {"rope_theta": 3e4}, "rope_scaling": {"type": "linear", "factor": 2.0}}),
    "the top fills rope_scaling": (
        "llama", {"rope_theta": 5e5, "rope_parameters": {"rope_theta": 3e4}, "rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    "an empty rope_scaling is none": ("llama", {"rope_parameters": {"rope_theta": 3e4}, "rope_scaling": {}}),
    "llama3 of the model's positions": ("llama", {"max_position_embeddings": 99, "rope_scaling": LLAMA3}),
    "llama3 of its own positions": ("llama", {"rope_scaling": {**LLAMA3, "original_max_position_embeddings": 50}}),
    "rope_type before type": ("llama", {"rope_scaling": {"type": "dynamic", "rope_type": "linear", "factor": 2.0}}),
    "linear with the positions before": ("llama", {"rope_scaling": {"rope_type": "linear", "factor": 2, "original_max_position_embeddings": 8}}),
    "the whole head by its share": ("qwen3", {"partial_rotary_factor": 1.0}),
    "null is missing": ("llama", {"num_key_value_heads": None, "head_dim": None, "rope_scaling": None, "pad_token_id": None}),
    "as many groups as heads": ("qwen2", {"num_key_value_heads": None}),
    "own heads": ("llama", {"head_dim": 10, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
    "old and foreign keys": ("llama", {"torch_dtype": "bfloat16", "_name_or_path": "a", "pretraining_tp": 4, "max_length": 9,
                                       "cache_implementation": "hybrid", "_num_labels": 1, "is_llama_config": True, "top_k": 3}),
    "a negative padding id": ("llama", {"pad_token_id": -1}),
    "a window": ("mistral", {"sliding_window": 9}),
    "no window": ("mistral", {"sliding_window": None}),
    "no window unless used": ("qwen2", {"sliding_window": 9, "max_window_layers": 0}),
    "the window by default": ("qwen2", {"use_sliding_window": True, "max_window_layers": 1}),
    "no window when null": ("qwen2", {"use_sliding_window": True, "sliding_window": None, "max_window_layers": 0}),
    "layer_types before max_window_layers": (
        "qwen3", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 0, "layer_types": ["full_attention", "sliding_attention"]}),
    "older names of layers": ("qwen2", {"layer_types": ["attention", "full_attention"]}),
    "gelu means tanh": ("gemma", {"hidden_act": "gelu", "tie_word_embeddings": False}),
    "hidden_act beside hidden_activation": ("gemma2", {"hidden_act": "gelu", "hidden_activation": "gelu_pytorch_tanh"}),
    "no caps": ("gemma2", {"attn_logit_softcapping": None, "final_logit_softcapping": None, "query_pre_attn_scalar": 144}),
    "other caps": ("gemma2", {"attn_logit_softcapping": 20.0, "final_logit_softcapping": 10.0, "cache_implementation": "hybrid"}),
    "two bases at the top": ("gemma3_text", {"rope_theta": 2e6, "rope_local_base_freq": 2e4}),
    "the pattern": ("gemma3_text", {"num_hidden_layers": 5, "sliding_window_pattern": 2}),
    "a saved pattern is not read": ("gemma3_text", {"num_hidden_layers": 7, "_sliding_window_pattern": 2}),
    "scaling of full layers": ("gemma3_text", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}),
    "scaling merges into full layers": (
        "gemma3_text", {"rope_scaling": {"factor": 4.0}, "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 3e5}, "sliding_attention": {"rope_type": "default"}}}),
    "scaling resets the type": (
        "gemma3_text", {"rope_scaling": {"rope_type": "default"}, "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 3e5}}}),
    "one kind of layer has parameters": ("gemma3_text", {"rope_theta": 7e5, "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 5.0}}}),
    "a share at the top": ("phi3", {"partial_rotary_factor": 0.67, "sliding_window": 4, "resid_pdrop": 0.25, "embd_pdrop": 0.5}),
    "a share of phi": ("phi", {"partial_rotary_factor": 1.0, "embd_pdrop": 0.5, "resid_pdrop": 0.25, "attention_dropout": 0.125}),
    "rope_parameters keep the default share": ("phi", {"rope_parameters": {"rope_type": "linear", "factor": 2.0}}),
    "a share of stablelm": ("stablelm", {"partial_rotary_factor": 0.5, "use_qkv_bias": True, "hidden_dropout": 0.25, "use_parallel_residual": True}),
    "old names of gpt_neox": ("gpt_neox", {"rotary_pct": 0.5, "rotary_emb_base": 20000, "hidden_dropout": 0.25, "attention_dropout": 0.125}),
    "repeated names of gpt_neox": (
        "gpt_neox", {"rotary_pct": 0.5, "rotary_emb_base": 20000, "rope_theta": 20000, "partial_rotary_factor": 0.5, "attention_bias": False}),
    "which layers rotate": ("smollm3", {"no_rope_layers": [0, 1], "rope_theta": 1e6, "max_window_layers": 28}),
    "every second layer rotates": ("smollm3", {"num_hidden_layers": 4, "no_rope_layer_interval": 2}),
    "windows where nothing rotates": ("smollm3", {"no_rope_layers": [0, 1], "use_sliding_window": True, "sliding_window": 6}),
    "clipped": ("olmo", {"clip_qkv": 8.0, "attention_bias": True}),
    "aliases of gpt2": ("gpt2", {"n_embd": None, "hidden_size": 36, "max_position_embeddings": 77, "n_positions": None}),
    "no scale": ("gpt2", {"scale_attn_weights": False, "n_inner": 50, "tie_word_embeddings": False, "activation_function": "relu",
                          "n_ctx": 5, "n_special": 0, "predict_special_tokens": True, "attn_pdrop": 0.25, "embd_pdrop": 0, "resid_pdrop": 0.5}),
    "multipliers": ("granite", {"embedding_multiplier": 12, "residual_multiplier": 0.5, "attention_multiplier": 0.25, "logits_scaling": 8.0}),
    "a scale of logits": ("cohere", {"logit_scale": 0.25, "tie_word_embeddings": False, "model_max_length": 99}),
    "the pattern of cohere2": ("cohere2", {"num_hidden_layers": 4, "sliding_window_pattern": 2, "sliding_window": 7, "head_dim": 6,
                                           "layer_switch": 2, "use_parallel_block": True, "position_embedding_type": "rope_gptj", "rotary_pct": 1.0}),
    "no biases": ("starcoder2", {"use_bias": False, "sliding_window": 3, "residual_dropout": 0.25, "embedding_dropout": 0.5, "mlp_type": "default"}),
    "the pattern of exaone4": ("exaone4", {"num_hidden_layers": 4, "sliding_window_pattern": 2, "sliding_window": 7}),
    "no window at all": ("exaone4", {"sliding_window": None, "layer_types": ["full_attention"] * 2, "sliding_window_pattern": None}),
}  # fmt: skip


def first(module, *names):
    """The first attribute that the module has, or 0; of a dropout module its probability."""
    for name in names:
        if hasattr(module, name):
            value = getattr(module, name)
            return value.p if isinstance(value, torch.nn.Dropout) else value
    return 0


def activation_of(act):
    functional = torch.nn.functional
    known = {"silu": functional.silu, "gelu": functional.gelu, "relu": functional.relu,
             "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh")}  # fmt: skip
    x = torch.linspace(-3, 3, 61, dtype=torch.double)
    return next(name for name, function in known.items() if torch.allclose(act(x), function(x), atol=1e-9))


def rotary_of(parameters, inverse_frequencies):
    rotary = {"type": parameters["rope_type"], "theta": parameters["rope_theta"], "dims": 2 * len(inverse_frequencies)}
    for key in ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"):
        if rotary["type"] == "llama3" or (key == "factor" and rotary["type"] == "linear"):
            rotary[key] = parameters[key]
    return rotary


def layer_of(config, layer, index):
    """The window (0: none) and whether queries are rotated."""
    types = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None)
    slides = window is not None and (types is None or types[index] == "sliding_attention")
    rotates = {"gpt2": False, "smollm3": bool(first(layer, "self_attn") and first(layer.self_attn, "use_rope")),
               "cohere2": slides, "exaone4": slides or window is None}.get(config.model_type, True)  # fmt: skip
    return [window if slides else 0, rotates]


def describe(family, settings, with_tensors):
    """What transformers makes of a config, in the terms of pdl::DecoderSpec."""
    config = transformers.AutoConfig.for_model(family, **settings)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    body = model.base_model
    layers = body.h if family == "gpt2" else body.layers
    layer = layers[0]
    attention = first(layer, "self_attn", "attention", "attn")
    mlp = layer.mlp
    embedding = next(module for module in body.modules() if isinstance(module, torch.nn.Embedding))
    norm = first(body, "norm", "final_layernorm", "final_layer_norm", "ln_f")
    head_dim = first(attention, "head_dim", "head_size")
    result = {
        "vocab_size": config.vocab_size, "hidden_size": config.hidden_size, "num_heads": config.num_attention_heads,
        "num_kv_heads": getattr(config, "num_key_value_heads", config.num_attention_heads), "head_dim": head_dim,
        "max_positions": config.max_position_embeddings, "layers": [layer_of(config, layers[i], i) for i in range(len(layers))],
        "norm_eps": first(norm, "eps", "variance_epsilon") or 1e-5,  # olmo's is in the code
        "attention_scale": (1 if family == "gpt2" and not config.scale_attn_weights else first(attention, "scaling") or head_dim**-0.5),
        "attention_softcap": (first(attention, "attn_logit_softcapping") or 0) if family == "gemma2" else 0,
        "logit_softcap": getattr(config, "final_logit_softcapping", None) or 0,
        "logit_scale": 1 / getattr(config, "logits_scaling", 1.0) * getattr(config, "logit_scale", 1.0),
        "embedding_scale": config.hidden_size**0.5 if family.startswith("gemma") else getattr(config, "embedding_multiplier", 1),
        "residual_scale": getattr(config, "residual_multiplier", 1), "clip_qkv": getattr(config, "clip_qkv", None) or 0,
        "activation": activation_of(first(mlp, "act_fn", "activation_fn", "act")),
        "ties_head": bool(config.tie_word_embeddings), "padding_id": embedding.padding_idx,
        "dropout": [first(body, "drop", "embed_dropout", "emb_dropout", "embedding_dropout"),
                    first(attention, "attention_dropout", "attn_dropout"),
                    first(layer, "resid_dropout", "resid_attn_dropout", "post_attention_dropout") or first(attention, "resid_dropout", "residual_dropout"),
                    first(layer, "resid_dropout", "resid_mlp_dropout", "post_mlp_dropout", "dropout") or first(mlp, "dropout", "residual_dropout")],
        "rotary": [],
    }  # fmt: skip
    if family == "gemma3_text":
        rotary = body.rotary_emb
        result["rotary"] = [rotary_of(config.rope_parameters[kind], getattr(rotary, f"{kind}_inv_freq", range(head_dim // 2)))
                            for kind in ("sliding_attention", "full_attention")]  # fmt: skip
    elif family != "gpt2":
        result["rotary"] = [rotary_of(config.rope_parameters, body.rotary_emb.inv_freq)]
    if with_tensors:
        names = {name.replace("lm_head", "embed_out") if family == "gpt_neox" else name: list(value.shape)
                 for name, value in model.state_dict().items()}  # fmt: skip
        tied = {"lm_head.weight", "embed_out.weight"} if config.tie_word_embeddings else set()
        result["tensors"] = {name: shape for name, shape in names.items()
                             if name not in tied and not re.search(r"\.[1-9]\.", name)}  # of the first layer
    return result


def without_nulls_of_gpt2(settings):
    """The aliases stand in for keys that the class does not take as null."""
    return {key: value for key, value in settings.items() if value is not None or not key.startswith("n_")}


def main():
    cases = [(f"{family}: defaults", family, {}, False) for family in FAMILIES]
    cases += [(f"{family}: small", family, small(family), True) for family in FAMILIES]
    cases += [(f"{family}: {name}", family, without_nulls_of_gpt2({**small(family), **more}), True)
              for name, (family, more) in CASES.items()]  # fmt: skip
    lines = []
    for name, family, settings, with_tensors in cases:
        expected = describe(family, json.loads(json.dumps(settings)), with_tensors)
        lines.append(json.dumps({"name": name, "config": {"model_type": family, **settings}, "expected": expected}))
    head = {"transformers": transformers.__version__}
    (HERE / "expected.json").write_text(json.dumps(head)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
