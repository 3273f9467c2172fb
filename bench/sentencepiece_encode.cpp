// Encodes each line of a text and counts the ids, in the loop that a C++ user of SentencePiece
// writes.
//   sentencepiece_encode MODEL TEXT OUTPUT
// OUTPUT gets {"counts": [...]}, as many as the model has pieces.
#include <sentencepiece_processor.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: sentencepiece_encode MODEL TEXT OUTPUT\n");
    return 2;
  }
  sentencepiece::SentencePieceProcessor processor;
  if (const auto status = processor.Load(argv[1]); !status.ok()) {
    std::fprintf(stderr, "error: %s: %s\n", argv[1], status.ToString().c_str());
    return EXIT_FAILURE;
  }
  std::vector<int64_t> counts(static_cast<size_t>(processor.GetPieceSize()));
  std::ifstream text(argv[2]);
  std::string line;
  std::vector<int> ids;
  while (std::getline(text, line)) {
    if (const auto status = processor.Encode(line, &ids); !status.ok()) {
      std::fprintf(stderr, "error: %s: %s\n", argv[2], status.ToString().c_str());
      return EXIT_FAILURE;
    }
    for (const int id : ids) ++counts[static_cast<size_t>(id)];
  }
  std::ofstream output(argv[3]);
  output << "{\"counts\": [";
  for (size_t i = 0; i < counts.size(); ++i) output << (i > 0 ? "," : "") << counts[i];
  output << "]}\n";
  output.close();
  if (!text.eof() || !output) {
    std::fprintf(stderr, "error: could not read %s or not write %s\n", argv[2], argv[3]);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
