#include "pdl/jinja/value.h"

#include <algorithm>

#include "pdl/base/error.h"
#include "pdl/base/unicode.h"

namespace pdl::jinja {

Value Value::undefined(std::string message) {
  return Undefined{std::make_shared<const std::string>(std::move(message))};
}

std::optional<int64_t> Value::integer() const {
  if (const auto* number = get<int64_t>()) return *number;
  if (const auto* flag = get<bool>()) return *flag ? 1 : 0;
  return std::nullopt;
}

std::optional<double> Value::number() const {
  if (const auto* real = get<double>()) return *real;
  if (const auto whole = integer()) return static_cast<double>(*whole);
  return std::nullopt;
}

int32_t Value::depth() const {
  if (sequence() != nullptr) return sequence()->depth;
  if (dict() != nullptr) return dict()->depth();
  if (iterator() != nullptr) return iterator()->depth;
  return 0;
}

namespace {

int32_t depth_around(int32_t inner) {
  if (inner >= kMaxValueDepth) {
    throw DataError("nests lists deeper than " + std::to_string(kMaxValueDepth) + " levels");
  }
  return inner + 1;
}

int32_t depth_around(const std::vector<Value>& items) {
  int32_t deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  return depth_around(deepest);
}

// Whether Python takes two values for the same key.
bool are_same_key(const Value& left, const Value& right) {
  if (left.text() != nullptr || right.text() != nullptr) {
    return left.text() != nullptr && right.text() != nullptr &&
           left.text()->bytes == right.text()->bytes;
  }
  if (left.is_none() || right.is_none()) return left.is_none() && right.is_none();
  if (left.integer() && right.integer()) return left.integer() == right.integer();
  if (left.number() && right.number()) return left.number() == right.number();
  const Sequence* first = left.sequence();
  const Sequence* second = right.sequence();
  return first != nullptr && second != nullptr && first->kind == Sequence::Kind::kTuple &&
         second->kind == Sequence::Kind::kTuple && first->items.size() == second->items.size() &&
         std::equal(first->items.begin(), first->items.end(), second->items.begin(), are_same_key);
}

}  // namespace

std::optional<size_t> Dict::index_of(const Value& key) const {
  if (key.text() != nullptr) {
    const auto found = index_.find(key.text()->bytes);
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }
  for (size_t i = 0; i < members_.size(); ++i) {
    if (are_same_key(members_[i].first, key)) return i;
  }
  return std::nullopt;
}

const Value* Dict::find(const Value& key) const {
  const auto index = index_of(key);
  return index ? &members_[*index].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  const auto found = index_.find(std::string(key));
  return found == index_.end() ? nullptr : &members_[found->second].second;
}

void Dict::set(Value key, Value value) {
  depth_ = std::max({depth_, depth_around(value.depth()), depth_around(key.depth())});
  if (const auto index = index_of(key)) {
    members_[*index].second = std::move(value);
    return;
  }
  if (key.text() != nullptr) index_.emplace(key.text()->bytes, members_.size());
  members_.emplace_back(std::move(key), std::move(value));
}

Value from_json(const JsonValue& json, std::optional<int32_t> origin) {
  switch (json.kind()) {
    case JsonValue::Kind::kNull:
      return {};
    case JsonValue::Kind::kBoolean:
      return json.boolean();
    case JsonValue::Kind::kInteger:
      return json.integer();
    case JsonValue::Kind::kReal: {
      const std::string& written = json.text();
      if (written.find_first_of(".eE") == std::string::npos) {
        throw DataError("has the number " + printable(written, 40) + ", which is beyond 64 bits");
      }
      return json.number();
    }
    case JsonValue::Kind::kString: {
      Text text{json.text()};
      if (origin) text.spans.push_back({0, text.bytes.size(), *origin});
      return text;
    }
    case JsonValue::Kind::kArray: {
      std::vector<Value> items;
      items.reserve(json.items().size());
      for (const JsonValue& item : json.items()) items.push_back(from_json(item, origin));
      return make_list(std::move(items));
    }
    case JsonValue::Kind::kObject: {
      Dict members;
      for (size_t i = 0; i < json.items().size(); ++i) {
        members.set(Value::string(json.keys()[i]), from_json(json.items()[i], origin));
      }
      return make_dict(std::move(members));
    }
  }
  return {};
}

Value make_sequence(Sequence::Kind kind, std::vector<Value> items) {
  const int32_t depth = depth_around(items);
  return std::make_shared<const Sequence>(Sequence{kind, std::move(items), depth});
}

Value make_list(std::vector<Value> items) {
  return make_sequence(Sequence::Kind::kList, std::move(items));
}

Value make_tuple(std::vector<Value> items) {
  return make_sequence(Sequence::Kind::kTuple, std::move(items));
}

Value make_iterator(std::vector<Value> items) {
  const int32_t depth = depth_around(items);
  return std::make_shared<Iterator>(Iterator{std::move(items), 0, depth});
}

Value make_dict(Dict members) { return std::make_shared<const Dict>(std::move(members)); }

}  // namespace pdl::jinja
