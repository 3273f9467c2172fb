// What templates know besides values: namespaces, loops, macros and methods. Private to the module.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pdl/jinja/value.h"
#include "syntax_tree.h"

namespace pdl::jinja {

// A method of a value, found but not called.
struct Method {
  Value object;
  std::string name;
};

struct Namespace {
  std::vector<std::pair<std::string, Value>> members;

  const Value* find(std::string_view name) const;
  // Names that begin with an underscore are refused.
  void set(const std::string& name, Value value);
};

// What `loop` is.
struct LoopState {
  std::vector<Value> items;
  size_t index = 0;
  std::vector<Value> changed_arguments = {};  // of loop.changed() when it was last called
  bool has_changed = false;                   // loop.changed() was called
};

// Variables of a block. Those of the blocks around it are seen, too.
class Frame {
 public:
  explicit Frame(Frame* parent) : parent_(parent) {}
  ~Frame() { clear(); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  // nullptr: neither here nor around.
  const Value* find(Symbol symbol) const;
  void set(Symbol symbol, Value value);
  // Ends the block: macros that were defined in it cannot be called any more.
  void clear();
  void own(Macro* macro) { macros_.push_back(macro); }

 private:
  Frame* parent_;
  std::vector<std::pair<Symbol, Value>> values_;
  std::vector<Macro*> macros_;
};

struct Macro {
  const MacroStatement* statement = nullptr;
  Frame* frame = nullptr;  // in which it was defined; nullptr once that has ended
};

}  // namespace pdl::jinja
