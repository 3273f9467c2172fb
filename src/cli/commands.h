// The commands, one function and one file each. Every function adds its command to `app`.
// app.parse() runs the command that the user names, and an Error passes through to main().
#pragma once

#include <CLI/CLI.hpp>

namespace pdl {

// `pdl-train --config run.json`, with or without the word `train`: the main command. Sets
// `exit_code` if it is not 0 and nothing is thrown.
void add_train_command(CLI::App& app, int& exit_code);
void add_init_command(CLI::App& app);
void add_check_command(CLI::App& app);
void add_count_command(CLI::App& app);
void add_weights_command(CLI::App& app);
void add_tokenize_command(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_compare_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_verify_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_merge_command(CLI::App& app);
// Sets `exit_code` as the main command does.
void add_sweep_command(CLI::App& app, int& exit_code);
void add_schema_command(CLI::App& app);

}  // namespace pdl
