#include "pdl/jinja/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "pdl/base/error.h"
#include "pdl/base/json.h"

namespace pdl::jinja {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Variables = std::vector<std::pair<std::string, Value>>;

constexpr Date kDate{2026, 7, 4};

Variables variables_from(const std::string& json, std::optional<int32_t> origin = std::nullopt) {
  const JsonValue root = parse_json(json, {}, JsonBlame::of<DataError>(""));
  Variables variables;
  for (size_t i = 0; i < root.items().size(); ++i) {
    variables.emplace_back(root.keys()[i], from_json(root.items()[i], origin));
  }
  return variables;
}

Text render(const std::string& text, const Variables& variables = {}) {
  return Template(text, "t.jinja").render(variables, kDate);
}

// The message with which a template is refused, by the parser or by the rendering.
std::string refusal_of(const std::string& text, const Variables& variables = {}) {
  try {
    return "renders " + render(text, variables).bytes;
  } catch (const ModelError& error) {
    return error.what();
  } catch (const DataError& error) {
    return error.what();
  }
}

TEST(TemplateTest, RendersWhatJinjaDoes) {
  std::ifstream file(std::string(PDL_TEST_DATA) + "/data/jinja/expected.json");
  const auto expected = nlohmann::ordered_json::parse(file);
  const Variables variables = variables_from(expected["variables"].dump());
  int64_t num_rendered = 0;
  int64_t num_unsupported = 0;
  for (const auto& one : expected["cases"]) {
    const auto text = one["template"].get<std::string>();
    const std::string refusal = refusal_of(text, variables);
    if (one["text"].is_null()) {
      EXPECT_THAT(refusal, HasSubstr("chat template 't.jinja', line ")) << text;
    } else if (refusal.starts_with("renders ")) {
      EXPECT_EQ(refusal, "renders " + one["text"].get<std::string>()) << text;
      ++num_rendered;
    } else {
      EXPECT_THAT(refusal,
                  AnyOf(HasSubstr("supported"), HasSubstr("allowed"), HasSubstr("is expected")))
          << text;
      ++num_unsupported;
    }
  }
  EXPECT_GT(num_rendered, 600);
  EXPECT_LT(num_unsupported, 20);
}

TEST(TemplateTest, ARefusalNamesTemplateLineAndReason) {
  EXPECT_EQ(refusal_of("a\n{% include 'x' %}"),
            "chat template 't.jinja', line 2, uses {% include %}, which is not supported");
  EXPECT_EQ(refusal_of("{{ 1 }}\n\n{{ x | groupby('a') }}"),
            "chat template 't.jinja', line 3, uses the filter 'groupby', which is not supported");
  EXPECT_EQ(refusal_of("{{ raise_exception('no ' ~ 'roles') }}"),
            "chat template 't.jinja', line 1, refuses the chat: no roles");
  EXPECT_EQ(refusal_of("{{ x.y }}"),
            "chat template 't.jinja', line 1, uses 'x', which is undefined");
  EXPECT_EQ(refusal_of("\xff"), "chat template 't.jinja' is not UTF-8 at byte 0");
}

TEST(TemplateTest, AnUnknownFilterIsRefusedOnlyWhereItIsUsedAsJinjaDoes) {
  EXPECT_EQ(render("{% if x %}{{ 1 | from_json }}{% endif %}ok").bytes, "ok");
  EXPECT_THAT(refusal_of("{% if x %}{{ 1 | from_json }}{% endif %}", {{"x", Value(true)}}),
              HasSubstr("uses the filter 'from_json', which Jinja does not know"));
  EXPECT_THAT(refusal_of("{{ 1 | from_json }}"), HasSubstr("which Jinja does not know"));
}

TEST(TemplateTest, RenderingEnds) {
  EXPECT_THAT(refusal_of("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}"
                         "{% endfor %}"),
              HasSubstr("takes more than 5000000 steps"));
  EXPECT_THAT(refusal_of("{{ 'abcdefgh' * 100000000 }}"),
              HasSubstr("makes a text of more than 67108864 bytes"));
  EXPECT_THAT(refusal_of("{% set n = namespace(s='abcdefgh') %}{% for i in range(60) %}"
                         "{% set n.s = n.s ~ n.s %}{% endfor %}"),
              HasSubstr("makes a text of more than 67108864 bytes"));
  EXPECT_THAT(refusal_of("{% set n = namespace(s='') %}{% for i in range(60) %}"
                         "{% set n.s = n.s ~ e ~ n.s %}{% endfor %}ok",
                         variables_from(R"({"e": ""})", 3)),
              "renders ok");
  EXPECT_THAT(refusal_of("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
              HasSubstr("nests calls too deep"));
  EXPECT_THAT(refusal_of("{% set n = namespace(l=[]) %}{% for i in range(900) %}"
                         "{% set n.l = [n.l] %}{% endfor %}"),
              HasSubstr("nests lists deeper than 200 levels"));
  EXPECT_THAT(refusal_of("{% set n = namespace(l=[1]) %}{% for i in range(60) %}"
                         "{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l == n.l }}"),
              HasSubstr("takes more than 5000000 steps"));
  EXPECT_THAT(refusal_of("{{ " + std::string(5000, '(') + std::string(5000, ')') + " }}"),
              HasSubstr("nested too deep"));
  std::string sum = "{{ 1";
  for (int i = 0; i < 5000; ++i) sum += " + 1";
  EXPECT_THAT(refusal_of(sum + " }}"), HasSubstr("nested too deep"));
  std::string blocks;
  for (int i = 0; i < 5000; ++i) blocks += "{% if x %}";
  EXPECT_THAT(refusal_of(blocks), HasSubstr("nested too deep"));
}

TEST(TemplateTest, AMacroEndsWithItsBlock) {
  EXPECT_THAT(refusal_of("{% set n = namespace() %}{% for x in [1] %}{% macro m() %}{{ x }}"
                         "{% endmacro %}{% set n.m = m %}{% endfor %}{{ n.m() }}"),
              HasSubstr("calls the macro 'm' outside of where it was defined"));
}

TEST(TemplateTest, ALoopDoesNotHoldItself) {
  EXPECT_THAT(refusal_of("{% for x in [1] %}{{ loop.changed([loop.cycle]) }}{% endfor %}"),
              HasSubstr("gives loop.changed a loop, which is not supported"));
}

TEST(TemplateTest, TellsWhetherItUsesTheDateAndMarksGeneration) {
  const Template plain("{{ x }}", "t");
  EXPECT_FALSE(plain.uses_date());
  EXPECT_FALSE(plain.marks_generation());
  EXPECT_TRUE(Template("{% if x %}{{ strftime_now('%Y') }}{% endif %}", "t").uses_date());
  EXPECT_TRUE(Template("{% generation %}{% endgeneration %}", "t").marks_generation());
}

// ------------------------------------------------------------------ where bytes came from

// "abc" at [1, 4) is "1:abc".
std::vector<std::string> origins_of(const Text& text) {
  std::vector<std::string> origins;
  for (const Span& span : text.spans) {
    origins.push_back(std::to_string(span.origin) + ":" +
                      text.bytes.substr(span.begin, span.end - span.begin));
  }
  return origins;
}

std::vector<std::string> origins_of(const std::string& text, const std::string& value) {
  const nlohmann::json variables = {{"x", value}};
  return origins_of(render(text, variables_from(variables.dump(), 5)));
}

TEST(TemplateTest, TellsWhereTheBytesOfATextCameFrom) {
  EXPECT_THAT(origins_of("a {{ x }} b", "x y"), ElementsAre("5:x y"));
  EXPECT_THAT(origins_of("{{ '<' + x.strip() ~ '>' }}", "  x y\n"), ElementsAre("5:x y"));
  EXPECT_THAT(origins_of("{{ x.split('</t>')[-1].lstrip('\n') }}", "t</t>\n\nans"),
              ElementsAre("5:ans"));
  EXPECT_THAT(origins_of("{{ x[1:3] }}{{ x[-1] }}", "abcdé"), ElementsAre("5:bcé"));
  EXPECT_THAT(origins_of("{% for c in x %}{{ c }}{% endfor %}", "abc"), ElementsAre("5:abc"));
  EXPECT_THAT(origins_of("{{ x | replace('b', '--') }}", "abc"), ElementsAre("5:a", "5:c"));
  EXPECT_THAT(origins_of("{{ x | upper }}!", "straße"), ElementsAre("5:STRASSE"));
  EXPECT_THAT(origins_of("{{ {'k': x} | tojson }}", "a\nb"), ElementsAre("5:a\\nb"));
  EXPECT_THAT(origins_of("{% macro m(v) %}<{{ v }}>{% endmacro %}{% set y %}{{ m(x) }}{% endset %}"
                         "{{ y | trim }}",
                         "ab"),
              ElementsAre("5:ab"));
  EXPECT_THAT(origins_of("{{ [x, 'y', x] | join('-') }}", "ab"), ElementsAre("5:ab", "5:ab"));
  EXPECT_THAT(origins_of("{{ '%s!' % x }}{{ '[{}]'.format(x) }}", "ab"),
              ElementsAre("5:ab", "5:ab"));
}

TEST(TemplateTest, AnEmptyTextLeavesItsPlace) {
  const Text text = render("ab{{ x }}cd", variables_from(R"({"x": ""})", 5));
  EXPECT_THAT(text.spans, ElementsAre(Span{2, 2, 5}));
}

TEST(TemplateTest, MixedOriginsAreToldApart) {
  Variables variables = variables_from(R"({"x": "a"})", 1);
  const Variables others = variables_from(R"({"y": "b"})", 2);
  variables.push_back(others.front());
  EXPECT_THAT(origins_of(render("{{ x + y }}", variables)), ElementsAre("1:a", "2:b"));
  EXPECT_THAT(render("{{ (x + y) | upper }}", variables).spans,
              ElementsAre(Span{0, 2, kMixedOrigin}));
}

TEST(TemplateTest, MarksWhatAGenerationBlockRenders) {
  const Text text =
      render("a{% generation %}b{{ x }}c{% endgeneration %}d", variables_from(R"({"x": "y"})", 5));
  EXPECT_THAT(text.spans, ElementsAre(Span{2, 3, 5}, Span{1, 4, kGenerationOrigin}));
}

// ------------------------------------------------------------------ values

TEST(ValueTest, RefusesWhatItCannotHold) {
  EXPECT_THROW(variables_from(R"({"x": 123456789012345678901})"), DataError);
  EXPECT_NO_THROW(variables_from(R"({"x": 1e300})"));
}

TEST(ValueTest, AKeyKeepsItsFirstPlaceAndItsLastValue) {
  EXPECT_EQ(render("{{ {'a': 1, 'b': 2, 'a': 3} }}").bytes, "{'a': 3, 'b': 2}");
  EXPECT_EQ(render("{{ {1: 'a', true: 'b', 1.0: 'c'} }}").bytes, "{1: 'c'}");
}

}  // namespace
}  // namespace pdl::jinja
