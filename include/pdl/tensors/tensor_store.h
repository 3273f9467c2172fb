// Reads tensors from safetensors files: one file, the files of an index, or files that hold parts.
// Opening reads the headers alone.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pdl/base/input_file.h"
#include "pdl/safetensors/header.h"
#include "pdl/tensors/named_tensor.h"

namespace pdl {

// What a file says of a tensor.
struct TensorInfo {
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  bool operator==(const TensorInfo&) const = default;
};

// Formats dtype and shape for messages: "F32 [2, 3]".
std::string describe(const TensorInfo& info);

// Both open() and the member functions throw `Blame` (a subclass of Error) with the file and what
// is wrong. The files stay open and are not mapped, so that a file that is shortened or fails while
// it is read gives an error. The data are not verified: a checkpoint is verified by its hashes
// before it is read. Movable; several threads may read at once.
class TensorStore {
 public:
  // `path` is x.safetensors, or x.safetensors.index.json with the files that it names beside it.
  template <class Blame>
  static TensorStore open(const std::filesystem::path& path) {
    return TensorStore(path, &throw_error<Blame>);
  }
  // Opens files that hold the tensors together. A tensor is whole in one file or in parts in
  // several; the parts have the same dtype and give every element once.
  template <class Blame>
  static TensorStore open_parts(const std::vector<std::filesystem::path>& paths) {
    return TensorStore(paths, &throw_error<Blame>);
  }

  // The file, the index, or the first and last of several files, for messages.
  const std::string& name() const { return name_; }
  // The paths of the files with the tensors.
  std::vector<std::string> files() const;

  // The tensors of the files by name. info() throws if there is none of that name.
  bool contains(std::string_view name) const { return tensors_.contains(name); }
  std::vector<std::string> names() const;
  TensorInfo info(std::string_view name) const;

  // Copies the elements of a slice, which may lie in several files, into its tensor. Values are
  // cast if both dtypes are floating point; otherwise the dtypes must agree. Throws, with nothing
  // copied, if there is no tensor of this name, shape and dtype.
  void read(const TensorSlice& into) const;

 private:
  using Thrower = void (*)(const std::string& message);
  template <class Blame>
  [[noreturn]] static void throw_error(const std::string& message) {
    throw Blame(message);
  }

  struct File {
    std::string name;
    InputFile content;
  };
  struct Part {
    size_t file = 0;  // in files_
    ElementRange elements;
    int64_t begin_bytes = 0;  // in the file
  };
  struct Stored {
    TensorInfo info;
    std::vector<Part> parts;  // in the order of their elements
  };

  TensorStore(const std::filesystem::path& path, Thrower thrower);
  TensorStore(const std::vector<std::filesystem::path>& paths, Thrower thrower);

  [[noreturn]] void fail(const std::string& message) const;
  void add_index(const std::filesystem::path& path);
  void add_file(const std::filesystem::path& path,
                const std::function<bool(const std::string& tensor)>& is_wanted);
  void add_entry(const SafetensorsEntry& entry, int64_t data_begin);
  void require_whole_tensors();
  const Stored& find(std::string_view name) const;
  void require_fit(const Stored& stored, const TensorSlice& slice) const;
  void read_elements(const Part& part, ElementRange elements, at::ScalarType dtype,
                     const at::Tensor& to) const;

  Thrower thrower_;
  std::string name_;
  std::vector<File> files_;
  std::map<std::string, Stored, std::less<>> tensors_;
};

}  // namespace pdl
