#include "pdl/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/json_fixture.h"
#include "pdl/base/error.h"
#include "pdl/base/random.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;
using Kind = JsonValue::Kind;
using ProblemKind = JsonProblem::Kind;

// What is wrong with a text; a tree is made of it on the way.
JsonProblem problem_with(std::string_view text, const JsonRules& rules = {}) {
  JsonValue root;
  return try_parse_json(text, rules, root);
}

// A text whose innermost list or object is the `depth`-th, with `inner` in it.
std::string nested(size_t depth, Random& random, const std::string& inner = "") {
  std::string begin;
  std::string end;
  for (size_t i = 1; i <= depth; ++i) {
    const bool is_list = random.below(2) == 0;
    const bool is_last = i == depth && inner.empty();
    begin += is_list ? "[" : is_last ? "{" : "{\"k\": ";
    end.insert(0, is_list ? "]" : "}");
  }
  return begin + inner + end;
}

nlohmann::ordered_json random_value(Random& random, size_t depth) {
  constexpr std::array<const char*, 6> kTexts = {"",          "a",      "\"\\/\b\f\n\r\t",
                                                 "é世🙂", "\ufeff", "k"};
  switch (random.below(depth == 0 ? 5 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return random.below(2) == 0;
    case 2:
      return static_cast<int64_t>(random.next()) >> random.below(64);
    case 3:
      return (random.uniform() - 0.5) * std::pow(10, static_cast<double>(random.below(600)) - 300);
    case 4:
      return kTexts.at(random.below(kTexts.size()));
    case 5: {
      auto list = nlohmann::ordered_json::array();
      for (uint64_t n = random.below(5); n > 0; --n)
        list.push_back(random_value(random, depth - 1));
      return list;
    }
    default: {
      auto object = nlohmann::ordered_json::object();
      for (uint64_t n = random.below(5); n > 0; --n) {
        object["k" + std::to_string(random.below(9))] = random_value(random, depth - 1);
      }
      return object;
    }
  }
}

nlohmann::ordered_json random_object(Random& random) {
  nlohmann::ordered_json object = {{"first", 1}};
  for (int i = 0; i < 3; ++i) object[std::to_string(i)] = random_value(random, 4);
  return object;
}

void expect_same(const JsonValue& value, const nlohmann::ordered_json& expected) {
  switch (value.kind()) {
    case Kind::kNull:
      EXPECT_TRUE(expected.is_null());
      break;
    case Kind::kBoolean:
      EXPECT_EQ(expected, value.boolean());
      break;
    case Kind::kInteger:
      EXPECT_TRUE(expected.is_number_integer());
      EXPECT_EQ(expected, value.integer());
      break;
    case Kind::kReal:
      EXPECT_TRUE(expected.is_number_float());
      EXPECT_EQ(expected, value.number()) << value.text();
      break;
    case Kind::kString:
      EXPECT_EQ(expected, value.text());
      break;
    case Kind::kArray:
    case Kind::kObject:
      ASSERT_EQ(expected.is_object(), value.is(Kind::kObject));
      ASSERT_EQ(expected.size(), value.items().size());
      ASSERT_EQ(value.keys().size(), expected.is_object() ? expected.size() : 0);
      size_t i = 0;
      for (const auto& [key, item] : expected.items()) {
        if (expected.is_object()) {
          EXPECT_EQ(value.keys()[i], key);
        }
        expect_same(value.items()[i++], item);
      }
  }
}

// ------------------------------------------------------------------ the text

TEST(JsonTest, ATreeIsWhatWasWritten) {
  Random random(1);
  for (int i = 0; i < 500; ++i) {
    const nlohmann::ordered_json written = random_value(random, 5);
    for (const int indent : {-1, 2}) {
      expect_same(parsed(written.dump(indent, ' ', /*ensure_ascii=*/random.below(2) == 0)),
                  written);
    }
  }
}

TEST(JsonTest, EveryTruncationIsRefusedAtItsEnd) {
  Random random(2);
  for (int i = 0; i < 20; ++i) {
    const std::string text = random_object(random).dump();
    for (size_t size = 0; size < text.size(); ++size) {
      // An end in the middle of a character or an escape is one, too.
      const JsonProblem problem = problem_with(std::string_view(text).substr(0, size));
      ASSERT_EQ(problem.kind, ProblemKind::kNotJson) << text.substr(0, size);
      ASSERT_EQ(problem.byte, size) << text.substr(0, size);
    }
  }
}

// A control character may stand nowhere: what is found is the first, and where it is.
TEST(JsonTest, AByteThatCannotBeIsNamed) {
  Random random(3);
  for (int i = 0; i < 20; ++i) {
    const std::string text = random_object(random).dump();
    for (size_t at = 0; at < text.size(); ++at) {
      for (const char byte : {'\0', '\x01', '\xff'}) {
        std::string changed = text;
        changed.insert(at, 1, byte);
        changed.push_back(byte);
        const JsonProblem problem = problem_with(changed);
        ASSERT_EQ(problem.kind, ProblemKind::kNotJson) << changed;
        ASSERT_EQ(problem.byte, at) << changed;
        ASSERT_EQ(problem.phrase(),
                  "is not JSON at byte " + std::to_string(at) + ": " + problem.reason);
      }
    }
  }
}

TEST(JsonTest, ANulByteDoesNotEndTheText) {
  for (const std::string& text : {std::string("{}\0", 3), std::string("{}\0{\"a\": 1}", 11),
                                  std::string("\0{}", 3), std::string("[\"a\0b\"]", 7)}) {
    for (const bool lax : {false, true}) {
      const JsonProblem problem = problem_with(
          text, {.byte_order_mark = lax, .comments = lax, .numbers_beyond_double = lax});
      EXPECT_EQ(problem.byte, text.find('\0'));
      EXPECT_THAT(problem.phrase(), HasSubstr("a NUL byte"));
    }
  }
  EXPECT_EQ(parsed(R"("a\u0000b")").text(), std::string("a\0b", 3));
}

TEST(JsonTest, AByteOrderMarkStandsAtTheBeginIfAnywhere) {
  const std::string mark(kByteOrderMark);
  EXPECT_THAT(problem_with(mark + "{}").phrase(),
              HasSubstr("is not JSON at byte 0: a byte order mark"));
  const JsonRules with_mark = {.byte_order_mark = true};
  EXPECT_FALSE(problem_with("{}", with_mark));
  EXPECT_FALSE(problem_with(mark + "{}", with_mark));
  for (const std::string& text : {mark + mark + "{}", " " + mark + "{}", "{}" + mark, mark}) {
    EXPECT_EQ(problem_with(text, with_mark).kind, ProblemKind::kNotJson);
  }
  EXPECT_EQ(parsed("\"" + mark + "\"").text(), mark);  // U+FEFF in a string
}

TEST(JsonTest, CommentsMustBeAllowed) {
  for (const std::string text : {"// a\n{}", "{/* a */}", "{} // a", "[1, /* \n */ 2]"}) {
    EXPECT_EQ(problem_with(text).kind, ProblemKind::kNotJson) << text;
    EXPECT_FALSE(problem_with(text, {.comments = true})) << text;
  }
  EXPECT_TRUE(problem_with("{} /* open", {.comments = true}));
  EXPECT_FALSE(problem_with("{} // \xff", {.comments = true}));
  EXPECT_EQ(parsed(R"("// a")").text(), "// a");
}

TEST(JsonTest, OneValueStandsAlone) {
  EXPECT_FALSE(problem_with(" {} \n"));
  for (const std::string text : {"", " ", "{} {}", "1 2", "{}}", ",", "[1,]", "{\"a\":1,}", "{1:2}",
                                 "NaN", "01", ".5", "+1", "'a'", "tru", "\"a\tb\"", "\"\\q\""}) {
    EXPECT_EQ(problem_with(text).kind, ProblemKind::kNotJson) << text;
  }
}

TEST(JsonTest, WhatIsNotUnicodeIsNotJson) {
  for (const std::string text :
       {"\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\xaf\"", "\"\xc3", R"("\ud800")", R"("\udc00")",
        R"("\ud800\ud800")", R"({"\ud800": 1})", "caf\xe9"}) {
    EXPECT_EQ(problem_with(text).kind, ProblemKind::kNotJson) << text;
  }
  EXPECT_EQ(parsed(R"("\ud83d\ude42")").text(), "🙂");
}

// ------------------------------------------------------------------ limits

// Counts the events and what is open, and ends the reading at an event of its choice.
class Recorder final : public JsonHandler {
 public:
  explicit Recorder(size_t last = SIZE_MAX) : last_(last) {}

  size_t num_events() const { return num_events_; }
  size_t max_depth() const { return max_depth_; }

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool integer(int64_t) override { return count(); }
  bool real(const std::string&) override { return count(); }
  bool string(std::string&) override { return count(); }
  bool key(std::string&) override { return count(); }
  bool begin_object() override { return open(); }
  bool end_object() override { return close(); }
  bool begin_array() override { return open(); }
  bool end_array() override { return close(); }

 private:
  bool count() { return num_events_++ < last_ || stop("has had enough"); }
  bool open() {
    max_depth_ = std::max(max_depth_, ++depth_);
    return count();
  }
  bool close() {
    --depth_;
    return count();
  }

  size_t last_;
  size_t num_events_ = 0;
  size_t depth_ = 0;
  size_t max_depth_ = 0;
};

TEST(JsonTest, DepthIsLimited) {
  Random random(4);
  for (size_t limit = 1; limit < 70; ++limit) {
    const JsonRules rules = {.max_depth = limit};
    for (const std::string inner : {"", "1"}) {
      for (size_t depth = 1; depth < 75; ++depth) {
        const std::string text = inner.empty()
                                     ? nested(depth, random)
                                     : std::string(depth, '[') + "1" + std::string(depth, ']');
        const JsonProblem problem = problem_with(text, rules);
        ASSERT_EQ(problem.kind, depth <= limit ? ProblemKind::kNone : ProblemKind::kLimit)
            << text << " " << limit;
        if (depth <= limit) continue;
        ASSERT_EQ(problem.phrase(), "is nested deeper than " + std::to_string(limit) + " levels");
      }
    }
  }
}

TEST(JsonTest, NoDepthTakesTheStackOrReachesTheHandler) {
  std::string objects;
  while (objects.size() < 1'000'000) objects += "{\"a\":";
  for (const std::string& text : {std::string(1'000'000, '['), objects}) {
    Recorder recorder;
    EXPECT_EQ(read_json(text, {}, recorder).phrase(), "is nested deeper than 64 levels");
    EXPECT_EQ(recorder.max_depth(), 64U);
    EXPECT_EQ(problem_with(text).kind, ProblemKind::kLimit);
  }
}

TEST(JsonTest, ValuesAreLimited) {
  const std::string text =
      R"({"a": [1, "x", null, true, 2.5], "b": {}, "c": 18446744073709551615})";
  constexpr size_t kValues = 9;
  for (size_t limit = 0; limit < 12; ++limit) {
    const JsonProblem problem = problem_with(text, {.max_values = limit});
    EXPECT_EQ(problem.kind, limit < kValues ? ProblemKind::kLimit : ProblemKind::kNone) << limit;
    if (limit >= kValues) continue;
    EXPECT_EQ(problem.phrase(), "holds more than " + std::to_string(limit) + " values");
  }
}

TEST(JsonTest, AHandlerEndsTheReadingAtAnyEvent) {
  const std::string text = R"({"a": [1, "x", null, true, 2.5], "b": {}, "c": -1})";
  Recorder all;
  EXPECT_FALSE(read_json(text, {}, all));
  EXPECT_EQ(all.num_events(), 15U);
  for (size_t last = 0; last < all.num_events(); ++last) {
    Recorder recorder(last);
    const JsonProblem problem = read_json(text, {}, recorder);
    EXPECT_EQ(problem.kind, ProblemKind::kStopped);
    EXPECT_EQ(problem.phrase(), "has had enough");
    EXPECT_EQ(recorder.num_events(), last + 1);
  }
}

// ------------------------------------------------------------------ numbers

TEST(JsonTest, AnIntegerThatDoesNotFitIsARealAsItIsWritten) {
  for (const int64_t fits : {INT64_MIN, INT64_MIN + 1, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    const JsonValue value = parsed(std::to_string(fits));
    ASSERT_TRUE(value.is(Kind::kInteger)) << fits;
    EXPECT_EQ(value.integer(), fits);
    EXPECT_EQ(value.number(), static_cast<double>(fits));
  }
  for (const std::string written :
       {"9223372036854775808", "-9223372036854775809", "18446744073709551615",
        "18446744073709551616", "100000000000000000000000000000000", "1.0", "1e0", "-0.0"}) {
    const JsonValue value = parsed(written);
    ASSERT_TRUE(value.is(Kind::kReal)) << written;
    EXPECT_EQ(value.text(), written);
    EXPECT_EQ(value.number(), std::stod(written));
  }
}

TEST(JsonTest, ANumberBeyondADoubleMustBeAllowed) {
  for (const std::string& number :
       {std::string("1e309"), std::string("-1e400"), std::string("2e308"), std::string(400, '9')}) {
    EXPECT_THAT(problem_with("[" + number + "]").phrase(), HasSubstr("is too large for a number"));
    const JsonRules lax = {.numbers_beyond_double = true};
    JsonValue root;
    EXPECT_FALSE(try_parse_json("[" + number + "]", lax, root));
    EXPECT_EQ(root.items().at(0).text(), number);
    EXPECT_TRUE(std::isinf(root.items().at(0).number()));
  }
  EXPECT_TRUE(problem_with("1e99999", {.numbers_beyond_double = true}));
  EXPECT_EQ(parsed("1.7976931348623157e308").number(), std::numeric_limits<double>::max());
  EXPECT_EQ(parsed("-1e-400").number(), 0.0);
  EXPECT_EQ(parsed("5e-324").number(), std::numeric_limits<double>::denorm_min());
}

// ------------------------------------------------------------------ errors

TEST(JsonTest, ErrorsAreOfTheCallersClassAndBeginWithItsWords) {
  const JsonValue root = parsed("[]");
  for (const std::string text : {"{", "[[]]"}) {
    const JsonRules flat = {.max_depth = 1};
    EXPECT_THROW(parse_json(text, flat, JsonBlame::of<ModelError>("m: ")), ModelError);
    EXPECT_THROW(parse_json(text, flat, JsonBlame::of<ConfigError>("m: ")), ConfigError);
  }
  EXPECT_THROW(ObjectReader(root, JsonBlame::of<CheckpointError>("m: ")), CheckpointError);
  EXPECT_EQ(
      error_of([] { parsed("{} x"); }).find("file 'f' cannot be used: it is not JSON at byte 3"),
      0U);
  const auto header = JsonBlame::of<DataError>("'f' is damaged: ", "its header");
  EXPECT_EQ(error_of([&] { parse_json("[[]]", {.max_depth = 1}, header); }),
            "'f' is damaged: its header is nested deeper than 1 levels");
  EXPECT_EQ(error_of([&] { ObjectReader(root, header); }),
            "'f' is damaged: its header is a list, not an object");
  EXPECT_EQ(error_of([&] { ObjectReader(root, header, "a[3]"); }),
            "'f' is damaged: a[3] is a list, not an object");
}

}  // namespace
}  // namespace pdl
