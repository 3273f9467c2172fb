#include "cli/output.h"

#include "cli/commands.h"
#include "pdl/config/schema.h"

namespace pdl {

void add_schema_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("schema", "Print the JSON Schema of run.json");
  command->callback([] { write_result("", config_schema_json()); });
}

}  // namespace pdl
