"""Tiny models of every native family, made by transformers: two variants each, at odd sizes."""
import os

os.environ["HF_HUB_OFFLINE"] = "1"
import warnings

warnings.filterwarnings("ignore")
import torch
import transformers

transformers.logging.set_verbosity_error()

VOCAB = 37
BASE = dict(vocab_size=VOCAB, hidden_size=18, intermediate_size=22, num_hidden_layers=2,
            num_attention_heads=3, num_key_value_heads=1, max_position_embeddings=64,
            pad_token_id=0, bos_token_id=1, eos_token_id=2)
WIDE = {**BASE, "head_dim": 10, "num_hidden_layers": 3}
GPT2 = dict(vocab_size=VOCAB, n_embd=18, n_layer=2, n_head=3, n_positions=64, resid_pdrop=0.0,
            embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=2)
NEOX = {k: v for k, v in BASE.items() if k != "num_key_value_heads"}


def rope(kind, theta=1e4, **more):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}


LLAMA3 = rope("llama3", 5e5, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)

# family, its config: what differs between families and within them.
VARIANTS = {
    "llama": ("llama", BASE),
    "llama_biases": ("llama", {**WIDE, "attention_bias": True, "mlp_bias": True, **LLAMA3,
                               "tie_word_embeddings": True}),
    "llama_linear": ("llama", {**BASE, **rope("linear", factor=4.0), "pad_token_id": None,
                               "hidden_act": "relu", "num_key_value_heads": 3}),
    "mistral": ("mistral", {**WIDE, "sliding_window": 5}),
    "mistral_whole": ("mistral", {**BASE, "sliding_window": None, "tie_word_embeddings": True}),
    "qwen2": ("qwen2", BASE),
    "qwen2_window": ("qwen2", {**BASE, "num_hidden_layers": 3, "use_sliding_window": True,
                               "sliding_window": 7, "max_window_layers": 1,
                               "tie_word_embeddings": True}),
    "qwen3": ("qwen3", WIDE),
    "qwen3_bias": ("qwen3", {**BASE, "head_dim": 6, "attention_bias": True,
                             "layer_types": ["full_attention", "sliding_attention"],
                             "use_sliding_window": True, "sliding_window": 4}),
    "gemma": ("gemma", WIDE),
    "gemma_gelu": ("gemma", {**BASE, "head_dim": 8, "hidden_act": "gelu", "attention_bias": True,
                             "num_key_value_heads": 1, "tie_word_embeddings": False}),
    "gemma2": ("gemma2", {**WIDE, "sliding_window": 7, "query_pre_attn_scalar": 24}),
    "gemma2_caps": ("gemma2", {**BASE, "head_dim": 6, "sliding_window": 3,
                               "query_pre_attn_scalar": 9, "attn_logit_softcapping": None,
                               "final_logit_softcapping": 2.0}),
    "gemma3_text": ("gemma3_text", {**WIDE, "num_hidden_layers": 6, "sliding_window": 7,
                                    "query_pre_attn_scalar": 24}),
    "gemma3_text_caps": ("gemma3_text", {
        **BASE, "head_dim": 6, "num_hidden_layers": 3, "sliding_window": 4,
        "query_pre_attn_scalar": 9, "final_logit_softcapping": 3.0, "attn_logit_softcapping": 2.0,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        "rope_parameters": {
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0}}}),
    "phi3": ("phi3", BASE),
    "phi3_partial": ("phi3", {**BASE, "sliding_window": 6,
                              **rope("default", partial_rotary_factor=0.67)}),
    "phi": ("phi", {**BASE, "hidden_size": 24}),
    "phi_groups": ("phi", {**BASE, "hidden_size": 48, "num_attention_heads": 6,
                           "num_key_value_heads": 3, "hidden_act": "gelu",
                           **rope("default", 2e4, partial_rotary_factor=0.75)}),
    "smollm3": ("smollm3", {**BASE, "num_hidden_layers": 4}),
    "smollm3_window": ("smollm3", {
        **BASE, "num_hidden_layers": 3, "no_rope_layers": [0, 1, 0], "use_sliding_window": True,
        "sliding_window": 5, "mlp_bias": True, "attention_bias": True,
        "tie_word_embeddings": False}),
    "olmo2": ("olmo2", BASE),
    "olmo2_bias": ("olmo2", {**BASE, "num_key_value_heads": 3, "attention_bias": True,
                             "tie_word_embeddings": True}),
    "olmo": ("olmo", BASE),
    "olmo_clip": ("olmo", {**BASE, "clip_qkv": 0.2, "attention_bias": True}),
    "stablelm": ("stablelm", {**BASE, "hidden_size": 24}),
    "stablelm_parallel": ("stablelm", {**BASE, "hidden_size": 24, "use_qkv_bias": True,
                                       "use_parallel_residual": True,
                                       **rope("default", partial_rotary_factor=0.5)}),
    "gpt2": ("gpt2", GPT2),
    "gpt2_inner": ("gpt2", {**GPT2, "n_inner": 25, "tie_word_embeddings": False,
                            "scale_attn_weights": False, "activation_function": "gelu"}),
    "gpt_neox": ("gpt_neox", {**NEOX, "hidden_size": 24}),
    "gpt_neox_sequential": ("gpt_neox", {**NEOX, "use_parallel_residual": False,
                                         "attention_bias": False, "tie_word_embeddings": True,
                                         **rope("default", 2e4, partial_rotary_factor=1.0)}),
    "granite": ("granite", BASE),
    "granite_scales": ("granite", {**BASE, "attention_multiplier": 0.1,
                                   "embedding_multiplier": 12.0, "residual_multiplier": 0.22,
                                   "logits_scaling": 8.0, "mlp_bias": True,
                                   "attention_bias": True, "tie_word_embeddings": True}),
    "cohere": ("cohere", BASE),
    "cohere_bias": ("cohere", {**BASE, "attention_bias": True, "logit_scale": 0.5,
                               "tie_word_embeddings": False}),
    "cohere2": ("cohere2", {**BASE, "num_hidden_layers": 4, "sliding_window": 5}),
    "cohere2_types": ("cohere2", {**BASE, "sliding_window": 3, "attention_bias": True,
                                  "layer_types": ["full_attention", "sliding_attention"]}),
    "starcoder2": ("starcoder2", BASE),
    "starcoder2_window": ("starcoder2", {**BASE, "sliding_window": 6, "use_bias": False,
                                         "tie_word_embeddings": False}),
    "exaone4": ("exaone4", {**BASE, "num_hidden_layers": 4, "sliding_window": 5}),
    "exaone4_whole": ("exaone4", {**BASE, "sliding_window": None, "tie_word_embeddings": True,
                                  "layer_types": ["full_attention", "full_attention"]}),
}


def make_model(name, seed=0):
    """Returns the model of a variant with random weights, norms and biases included."""
    family, settings = VARIANTS[name]
    torch.manual_seed(seed)
    config = transformers.AutoConfig.for_model(family, **settings)
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager",
                                                          dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model
