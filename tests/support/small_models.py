"""Small random models of many architectures, for tests of the export."""

import torch
import transformers

VOCAB_SIZE = 512
MAX_POSITIONS = 128

LLAMA_LIKE = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": MAX_POSITIONS,
}
GPT2_LIKE = {
    "vocab_size": VOCAB_SIZE,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": MAX_POSITIONS,
}
OPT_LIKE = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "word_embed_proj_dim": 32,
    "ffn_dim": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": MAX_POSITIONS,
}
FALCON_LIKE = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}

# Arguments of AutoConfig.for_model.
GPT2 = {"model_type": "gpt2", **GPT2_LIKE}  # Dropout 0.1 and a tied head by default.
LLAMA = {"model_type": "llama", "tie_word_embeddings": True, "attention_dropout": 0.1, **LLAMA_LIKE}
MISTRAL = {"model_type": "mistral", "sliding_window": 16, **LLAMA_LIKE}
# Its logits are bounded so tightly that a head without the bound gives others.
GEMMA2 = {
    "model_type": "gemma2",
    "head_dim": 16,
    "sliding_window": 16,
    "final_logit_softcapping": 1.0,
    **LLAMA_LIKE,
}
MODELS = {
    "gpt2": GPT2,
    "llama": LLAMA,
    "llama3_rope": {
        "model_type": "llama",
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 5e5,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
        **LLAMA_LIKE,
    },
    "qwen2": {"model_type": "qwen2", **LLAMA_LIKE},
    "qwen3": {"model_type": "qwen3", "head_dim": 16, **LLAMA_LIKE},
    "mistral": MISTRAL,
    "gemma": {"model_type": "gemma", "head_dim": 16, **LLAMA_LIKE},
    "gemma2": GEMMA2,
    "gptj": {"model_type": "gptj", "rotary_dim": 4, "resid_pdrop": 0.1, **GPT2_LIKE},
}
SWITCHABLE = ("gpt2", "llama", "gptj")
TIED = {"gpt2": ["lm_head.weight"], "llama": ["lm_head.weight"]}

# What cannot be exported, and a word of the reason.
REFUSED = {
    "dynamic rope": (
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}, **LLAMA},
        "dynamic",
    ),
    "attention sinks": (
        {"model_type": "gpt_oss", "head_dim": 16, "num_local_experts": 2, **LLAMA_LIKE},
        "sinks",
    ),
    "alibi": ({"model_type": "falcon", "alibi": True, **FALCON_LIKE}, "alibi"),
    "functional dropout": ({"model_type": "opt", "dropout": 0.1, **OPT_LIKE}, "--no_dropout"),
    "layerdrop": ({"model_type": "opt", "dropout": 0.0, "layerdrop": 0.5, **OPT_LIKE}, "layerdrop"),
    "attention in chunks": (
        {"model_type": "llama4_text", "head_dim": 16, "num_local_experts": 2, **LLAMA_LIKE},
        "chunks",
    ),
    "no attention": (
        {"model_type": "mamba", "vocab_size": 512, "hidden_size": 32, "num_hidden_layers": 1},
        "linear_attention",
    ),
    "not causal": ({**LLAMA_LIKE, "model_type": "bert", "num_key_value_heads": None}, "not causal"),
}


def make_model(arguments, folder):
    """Saves a random model of the given configuration, and returns it."""
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(**arguments)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    return model.eval()
