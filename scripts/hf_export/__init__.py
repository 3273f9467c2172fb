"""The parts of scripts/export_model.py.

In the order in which an export uses them:

* `loading` reads the model folder and refuses what cannot be exported exactly;
* `attention` is the causal attention that replaces the model's own;
* `splitting` divides the model into what comes before its output head and the head;
* `tracing` turns the model into TorchScript;
* `folder` finds what a trained folder needs beside the program;
* `writing` saves it under its final name only when everything went well;
* `verification` compares the written file with the stock model.

`progress` shows what takes long, `errors` holds the failures with an exit code, `sample_ids` the ids to trace and to compare with.
"""
