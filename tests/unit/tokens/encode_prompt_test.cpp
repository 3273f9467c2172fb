#include "pdl/tokens/encode_prompt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/base/file.h"
#include "pdl/corpus/chat_format.h"
#include "pdl/corpus/jsonl.h"
#include "support/byte_tokenizer.h"
#include "support/temp_folder.h"
#include "tokens/document_encoder.h"

namespace pdl {
namespace {

const std::string kQuestion =
    R"({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why? "})";
const std::string kAnswer = R"(, {"role": "assistant", "content": "Because."})";

class EncodePromptTest : public testing::Test {
 protected:
  std::vector<int32_t> prompt_ids(const std::string& record) {
    const ChatFormat chats(options_, &tokenizer_);
    return encode_prompt(parse_prompt_record(record, options_, chats, {"f.jsonl", 1}), tokenizer_,
                         options_);
  }
  std::vector<int32_t> row_ids(const std::string& record) {
    const ChatFormat chats(options_, &tokenizer_);
    std::vector<Token> tokens;
    DocumentEncoder(tokenizer_, options_)
        .encode(parse_record(record, options_, chats, {"f.jsonl", 1}), tokens);
    std::vector<int32_t> ids;
    for (const Token token : tokens) ids.push_back(token.id());
    return ids;
  }
  // The answer's own text is what the row has beyond the prompt.
  void expect_begin_of_row(const std::string& prompt, const std::string& row) {
    const std::vector<int32_t> begin = prompt_ids(prompt);
    const std::vector<int32_t> all = row_ids(row);
    ASSERT_LT(begin.size(), all.size());
    EXPECT_TRUE(std::equal(begin.begin(), begin.end(), all.begin()));
    EXPECT_GE(begin.size() + 30, all.size());
  }

  ByteTokenizer tokenizer_;
  TextOptions options_;
};

TEST_F(EncodePromptTest, AChatsPromptBeginsItsTrainingRow) {
  for (const char* name : {"chatml", "llama2", "llama3", "plain"}) {
    SCOPED_TRACE(name);
    options_.chat_template = name;
    expect_begin_of_row("{\"messages\": [" + kQuestion + "]}",
                        "{\"messages\": [" + kQuestion + kAnswer + "]}");
  }
}

TEST_F(EncodePromptTest, ATemplateInJinjaIsAskedForIt) {
  const TempFolder folder;
  const auto path = folder / "t.jinja";
  write_file_durably(path,
                     "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
                     "{% if add_generation_prompt %}<assistant>{% endif %}");
  options_.chat_template = path.string();
  expect_begin_of_row("{\"messages\": [" + kQuestion + "]}",
                      "{\"messages\": [" + kQuestion + kAnswer + "]}");
}

TEST_F(EncodePromptTest, APromptBeginsTheRowOfItsCompletion) {
  for (const bool adds_bos : {false, true}) {
    options_.add_bos = adds_bos;
    expect_begin_of_row(R"({"prompt": "One two", "completion": ""})",
                        R"({"prompt": "One two", "completion": " three"})");
  }
}

TEST_F(EncodePromptTest, WhatIsNoPromptIsRefused) {
  for (const char* record :
       {"{}", R"({"text": "a"})", R"({"prompt": 1})", "[1]", "{", R"({"messages": []})",
        R"({"messages": [{"role": "x"}]})",
        R"({"prompt": "a", "messages": [{"role": "user", "content": "b"}]})"}) {
    EXPECT_THROW(prompt_ids(record), DataError) << record;
  }
}

}  // namespace
}  // namespace pdl
