#include "cli/app.h"

int main(int argc, char** argv) { return pdl::run_program(argc, argv); }
