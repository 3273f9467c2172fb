"""Configs that must be refused."""

import json

from bad_case import SPECIAL_FILES, Case

CODES = (2,)

# Every key by its type, with a value that is right, and for numbers those out of range.
PATHS = ["model_path", "tokenizer_path", "output_dir", "pdl_frequency_table", "adapter_path", "resume_from_checkpoint"]
PATH_LISTS = ["train_files", "eval_files", "pdl_reference_files"]
REQUIRED = ["model_path", "tokenizer_path", "output_dir", "train_files"]
CHOICES = {
    "text_document": "file", "chat_template": "chatml", "pdl_frequency": "count", "pdl_unseen": "formula",
    "pdl_special_tokens": "formula", "lr_scheduler_type": "linear", "optim": "adamw", "precision": "fp32",
    "metric_for_best_model": "eval_ce", "spike_action": "warn", "device": "cpu", "chat_date": "2026-07-04",
    "isolate_documents": "auto",
}  # fmt: skip
STRINGS = ["text_field", "prompt_field", "completion_field", "messages_field"]
BOOLEANS = ["completion_only_loss", "add_bos", "add_eos", "packing", "shuffle", "tensorboard", "gradient_checkpointing"]
INTEGERS = {
    "max_length": [-1, 0, 1], "pdl_alpha_warmup_steps": [-1], "max_steps": [0, -2],
    "per_device_train_batch_size": [-1, 0], "gradient_accumulation_steps": [-1, 0],
    "per_device_eval_batch_size": [-1, 0], "logits_chunk_rows": [-1], "num_threads": [-1, 5000], "seed": [-1],
    "eval_steps": [-1], "eval_max_batches": [-1], "early_stopping_patience": [-1], "save_steps": [-1],
    "save_total_limit": [-1], "logging_steps": [-1, 0], "max_bad_steps": [-1, 0], "lora_rank": [-1],
}  # fmt: skip
NUMBERS = {
    "pdl_alpha": [-1], "pdl_epsilon": [-1, 0], "pdl_max_ratio": [-1, 0.5], "pdl_max_unseen_share": [-1, 1.5],
    "num_train_epochs": [-1, 0], "learning_rate": [-1], "warmup_steps": [-1, 1.5], "min_lr_ratio": [-1, 2],
    "weight_decay": [-1], "adam_beta1": [-1, 1], "adam_beta2": [-1, 1], "adam_epsilon": [-1],
    "max_grad_norm": [-1], "momentum": [-1, 1], "max_minutes": [-1], "spike_threshold": [-1], "lora_alpha": [-1, 0], "lora_dropout": [-1, 1],
}  # fmt: skip
KEYS = [*PATHS, *PATH_LISTS, *CHOICES, *STRINGS, *BOOLEANS, *INTEGERS, *NUMBERS, "freeze", "lora_target_modules"]

HUGE_STRING = json.dumps("x" * 1_000_000)
BELOW_INT64 = str(-(2**63) - 1)


def good_text(key):
    """A valid value of the key, as JSON."""
    if key in CHOICES:
        return json.dumps(CHOICES[key])
    if key in BOOLEANS:
        return "true"
    if key in INTEGERS:
        return "2"
    if key in NUMBERS:
        return "0.5" if key != "pdl_max_ratio" else "1"
    return '"train.txt"' if key in PATH_LISTS else '"x"'


def bad_texts(key):
    """Wrong values of the key, as written in the file."""
    texts = ["null", "{}", "[[1]]", "1e400", "-1e400", "NaN", '{"a": "b"}']
    if key in INTEGERS:
        texts += [str(value) for value in INTEGERS[key]]
        texts += ['"1"', "1.5", "1e30", str(2**63), BELOW_INT64, "true", "[]", HUGE_STRING]
    elif key in NUMBERS:
        texts += [str(value) for value in NUMBERS[key]] + ['"1"', "true", "[]", "Infinity", "01"]
    elif key in BOOLEANS:
        texts += ["0", "1", '"true"', '""', "[]", str(2**63), "TRUE"]
    elif key == "freeze":
        texts += ["1", '[""]', "[null]", '["("]', '"(a"', '"[z-a]"', str(2**63), HUGE_STRING]
    elif key == "lora_target_modules":
        texts += ["1", '[""]', "[null]", "true", str(2**63), HUGE_STRING]
    elif key == "isolate_documents":
        texts += ["1", "[]", '"yes"', '"True"', str(2**63)]
    elif key in PATH_LISTS:
        texts += ["1", "-1", "true", '[""]', "[null]", '["a.txt", 1]', '"a\\u0000.txt"', HUGE_STRING, str(2**63)]
    else:
        texts += ["1", "-1", "true", "[]", '["a"]', HUGE_STRING, '"a\\u0000b"', '"\\ud800"', str(2**63)]
    if key in REQUIRED or (key in CHOICES and key != "chat_date") or key == "resume_from_checkpoint":
        texts.append('""')
    return texts


BROKEN = {
    "empty": b"", "blank": b" \r\n", "text": b"model_path = x\n", "array": b"[]", "number": b"1", "null": b"null",
    "bytes": bytes(range(256)), "Latin-1": '{"output_dir": "\u00e9"}'.encode("latin-1"),
    "UTF-16": '{"seed": 1}'.encode("utf-16"), "UTF-16 without mark": '{"seed": 1}'.encode("utf-16-le"),
    "UTF-32": '{"seed": 1}'.encode("utf-32"), "two marks": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "mark inside": b'{\xef\xbb\xbf"seed": 1}', "mark alone": b"\xef\xbb\xbf",
    "half a mark": b'\xef\xbb{"seed": 1}', "CRLF in a string": b'{"output_dir": "a\r\nb"}',
    "tab in a string": b'{"output_dir": "a\tb"}', "escape in a string": b'{"output_dir": "a\x1bb"}',
    "NUL": b'{"seed": 1}\0', "NUL inside": b'{"seed": \x001}', "DEL key": b'{"\x7f": 1}',
    "open comment": b'{"seed": 1 /* }', "half a comment": b'{"seed": 1 / 2}', "hash comment": b'{"seed": 1} # seed',
    "two objects": b'{"seed": 1} {"seed": 2}', "trailing comma": b'{"seed": 1,}', "no comma": b'{"seed": 1 "optim": 2}',
    "no colon": b'{"seed" 1}', "no value": b'{"seed": }', "no key": b"{: 1}", "bare key": b"{seed: 1}",
    "single quotes": b"{'seed': 1}", "hex": b'{"seed": 0x1}', "leading zero": b'{"seed": 01}', "plus": b'{"seed": +1}',
    "bare minus": b'{"seed": -}', "no digits": b'{"seed": .5}', "no fraction": b'{"seed": 1.}', "no exponent": b'{"seed": 1e}',
    "bad escape": b'{"output_dir": "\\x41"}', "short escape": b'{"output_dir": "\\u12"}',
    "low surrogate": b'{"output_dir": "\\udc00"}', "surrogate bytes": b'{"output_dir": "\xed\xa0\x80"}',
    "overlong": b'{"output_dir": "\xc0\xaf"}', "beyond Unicode": b'{"output_dir": "\xf4\x90\x80\x80"}',
    "cut character": b'{"output_dir": "\xe2\x82"}', "escape in a key": b'{"a\\u001b[31m\\nerror: ": 1}',
    "override in a key": '{"a\u202eb": 1}'.encode(), "line separator in a key": '{"a\u2028b": 1}'.encode(),
    "empty key": b'{"": 1}', "deep": b'{"seed": ' + b"[" * 100_000, "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a": ' * 100_000, "deep in a list": b'{"freeze": ' + b"[" * 65 + b"]" * 65 + b"}",
    "long number": b'{"seed": ' + b"1" * 500_000 + b"}", "long fraction": b'{"seed": 0.' + b"1" * 500_000 + b"}",
    "long key": b'{"' + b"k" * 900_000 + b'": 1}', "too large": b'{"seed": 1}' + b" " * (1 << 20),
    "many unknown keys": ("{" + ",".join(f'"key{i}": 1' for i in range(50_000)) + "}").encode(),
    "many duplicates": ("{" + ",".join(['"seed": 1'] * 50_000) + "}").encode(),
    "long list": ('{"train_files": [' + ",".join(['"missing*.txt"'] * 40_000) + ", 1]}").encode(),
}  # fmt: skip

SAMPLE = b'{\r\n  "model_path": "model.pt", // a model\r\n  "max_length": 32, "pdl_alpha": 2.5e-1, "packing": true}'


def cases(good):
    """`good` is the text of a config that works, {"model_path": …}."""
    found = []

    def add(name, content, part=""):
        files = {"bad.json": content.encode() if isinstance(content, str) else content}
        found.append(Case("config", name, CODES, ["--config", "bad.json"], lambda _: files, part))

    def replaced(key, text):
        rest = {name: value for name, value in good.items() if name != key}
        return json.dumps(rest)[:-1] + f', "{key}": {text}}}'

    for key in KEYS:
        for text in bad_texts(key):
            is_json = text not in ("01", "Infinity", "NaN", "TRUE")  # else only the place is known
            add(f"{key}: {text[:20]}", replaced(key, text), key if is_json else "line 1")
        middle = len(key) // 2
        misspelt = key[:middle] + key[middle + 1 :]
        add(f"unknown {misspelt}", replaced(misspelt, good_text(key)), f'did you mean "{key}"')
        twice = replaced(key, good_text(key))[:-1] + f', "{key}": {good_text(key)}}}'
        add(f"{key} twice", twice, key)
    for key in REQUIRED:
        add(f"{key} missing", json.dumps({name: value for name, value in good.items() if name != key}), key)
    for name, content in BROKEN.items():
        add(name, content)
    for name, make in SPECIAL_FILES.items():
        add(name, make)
    for size in range(len(SAMPLE)):
        add(f"cut at byte {size}", SAMPLE[:size])
    return found
