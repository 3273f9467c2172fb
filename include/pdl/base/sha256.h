// SHA-256 (FIPS 180-4, OpenSSL's implementation) as 64 lower-case hexadecimal digits.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace pdl {

// Computes a digest of bytes that come in pieces. For one thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  // Appends to the bytes that are hashed.
  void update(std::string_view bytes);
  // Returns the digest of everything so far; the object must not be used afterwards.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The digest of `bytes`, as Sha256::finish() returns it.
std::string sha256(std::string_view bytes);

}  // namespace pdl
