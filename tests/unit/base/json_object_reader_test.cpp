#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/json_fixture.h"
#include "pdl/base/unicode.h"

namespace pdl {
namespace {

using ::testing::HasSubstr;
using Kind = JsonValue::Kind;

// An object at each depth below the root, each in the one before as its member "o".
TEST(ObjectReaderTest, ANameThatStandsTwiceIsRefusedAtItsPlace) {
  constexpr size_t kDepth = 20;
  for (size_t twice = 0; twice < kDepth; ++twice) {
    std::string text = "1";
    for (size_t level = kDepth; level-- > 0;) {
      // An escape makes no other name of it.
      text = R"({"n": 1, "o": )" + text + (level == twice ? R"(, "\u006e": 1})" : "}");
    }
    const JsonValue root = parsed(text);
    std::string place;
    const JsonValue* value = &root;
    for (size_t level = 0; level < kDepth; ++level) {
      const std::string error = error_of([&] { ObjectReader(*value, blame(), place); });
      const std::string name = (place.empty() ? "" : place + ".") + "n";
      EXPECT_EQ(error,
                level == twice ? "file 'f' cannot be used: " + name + " is given twice" : "");
      place = place.empty() ? "o" : place + ".o";
      value = &value->items().at(1);
    }
  }
}

TEST(ObjectReaderTest, ManyNamesAreLookedAtInNoTime) {
  std::string text = "{\"0\": 0";
  for (int i = 1; i < 200'000; ++i) text += ", \"" + std::to_string(i) + "\": 0";
  const JsonValue once = parsed(text + "}");
  EXPECT_EQ(error_of([&] { ObjectReader(once, blame()); }), "");
  const JsonValue twice = parsed(text + ", \"77\": 0}");
  EXPECT_THAT(error_of([&] { ObjectReader(twice, blame()); }), HasSubstr("77 is given twice"));
}

TEST(ObjectReaderTest, FinishRefusesEachMemberThatNobodyAskedFor) {
  const std::vector<std::string> names = {"a", "b", "c", "d"};
  const JsonValue root = parsed(R"({"a": 1, "b": null, "c": {}, "d": []})");
  for (unsigned asked = 0; asked < 16; ++asked) {
    ObjectReader reader(root, blame(), "model");
    std::string first_left;
    for (size_t i = 0; i < names.size(); ++i) {
      if ((asked >> i) % 2 == 1) {
        reader.ignore(names[i]);
      } else if (first_left.empty()) {
        first_left = names[i];
      }
    }
    reader.ignore("none");
    EXPECT_EQ(error_of([&] { reader.finish(); }),
              first_left.empty()
                  ? ""
                  : "file 'f' cannot be used: model." + first_left + " is not supported");
  }
}

// Each way to read a member, and the kinds of value that it takes.
TEST(ObjectReaderTest, AMemberIsOfTheTypeThatIsAskedFor) {
  const JsonValue root = parsed(
      R"({"null": null, "boolean": true, "integer": 1, "real": 1.5, "string": "x", "list": [], "object": {}})");
  const std::vector<std::pair<std::function<void(ObjectReader&, const std::string&)>, std::string>>
      ways = {
          {[](auto& reader, auto& name) { reader.boolean(name); }, "boolean"},
          {[](auto& reader, auto& name) { reader.integer(name); }, "integer"},
          {[](auto& reader, auto& name) { reader.number(name); }, "integer real"},
          {[](auto& reader, auto& name) { reader.string(name); }, "string"},
          {[](auto& reader, auto& name) { reader.numbers(name); }, "list"},
          {[](auto& reader, auto& name) { reader.integers(name); }, "list"},
          {[](auto& reader, auto& name) { reader.object(name); }, "object"},
          {[](auto& reader, auto& name) { reader.required(name); },
           "null boolean integer real string list object"},
          {[](auto& reader, auto& name) { reader.boolean_or(name, true); }, "null boolean none"},
          {[](auto& reader, auto& name) { reader.string_or_empty(name); }, "null string none"},
      };
  std::vector<std::string> names = root.keys();
  names.push_back("none");
  for (size_t way = 0; way < ways.size(); ++way) {
    for (const std::string& name : names) {
      ObjectReader reader(root, blame(), "m");
      const std::string error = error_of([&] { ways[way].first(reader, name); });
      const bool is_taken = ways[way].second.find(name) != std::string::npos;
      EXPECT_EQ(error.empty(), is_taken) << way << " " << name << ": " << error;
      if (is_taken) continue;
      EXPECT_THAT(error, HasSubstr("f' cannot be used: m." + name + " is ")) << way;
      if (name == "none") {
        EXPECT_THAT(error, HasSubstr("is missing"));
      }
    }
  }
}

TEST(ObjectReaderTest, AnIntegerIsInItsRange) {
  for (const std::string written :
       {"-9223372036854775809", "-9223372036854775808", "-3", "-2", "0", "2", "3", "2.0", "2e0",
        "9223372036854775807", "9223372036854775808", "18446744073709551614"}) {
    const JsonValue root = parsed("{\"n\": " + written + ", \"l\": [0, " + written + "]}");
    const bool is_integer = root.items()[0].is(Kind::kInteger);
    for (const auto& [min, max] : std::vector<std::pair<int64_t, int64_t>>{
             {-2, 2}, {0, 0}, {INT64_MIN, INT64_MAX}, {0, INT64_MAX}, {INT64_MIN, 0}}) {
      ObjectReader reader(root, blame());
      const bool is_in =
          is_integer && root.items()[0].integer() >= min && root.items()[0].integer() <= max;
      const std::string range = " is " + written + ", not an integer from " + std::to_string(min) +
                                " to " + std::to_string(max);
      const std::string error = error_of([&] { reader.integer("n", min, max); });
      EXPECT_EQ(error, is_in ? "" : "file 'f' cannot be used: n" + range);
      const std::string list_error = error_of([&] { reader.integers("l", min, max); });
      EXPECT_EQ(list_error, is_in ? "" : "file 'f' cannot be used: l[1]" + range);
    }
  }
}

TEST(ObjectReaderTest, ReadsWhatIsThere) {
  const JsonValue root = parsed(
      R"({"b": true, "i": -7, "r": 2.5, "s": "x", "l": [1, 2.5], "n": [3, 4], "o": {"p": {"q": 8}}, "z": null})");
  ObjectReader reader(root, blame());
  EXPECT_TRUE(reader.boolean("b"));
  EXPECT_TRUE(reader.boolean_or("b", false));
  EXPECT_TRUE(reader.boolean_or("none", true));
  EXPECT_EQ(reader.integer("i"), -7);
  EXPECT_EQ(reader.number("i"), -7.0);
  EXPECT_EQ(reader.number("r"), 2.5);
  EXPECT_EQ(reader.string("s"), "x");
  EXPECT_EQ(reader.string_or_empty("s"), "x");
  EXPECT_EQ(reader.string_or_empty("none"), "");
  EXPECT_EQ(reader.numbers("l"), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(reader.integers("n"), (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(reader.find("z"), nullptr);
  EXPECT_TRUE(reader.has("z"));
  EXPECT_FALSE(reader.has("none"));
  ObjectReader inner = reader.object("o").object("p");
  EXPECT_EQ(inner.integer("q"), 8);
  EXPECT_EQ(error_of([&] { inner.string("q"); }),
            "file 'f' cannot be used: o.p.q is an integer, not a string");
  reader.finish();
}

TEST(ObjectReaderTest, NoNameSteersATerminal) {
  const JsonValue root = parsed(R"({"a\u001b[31m\n": 1})");
  EXPECT_EQ(error_of([&] { ObjectReader(root, blame()).finish(); }),
            "file 'f' cannot be used: a\\u{1b}[31m\\n is not supported");
}

}  // namespace
}  // namespace pdl
