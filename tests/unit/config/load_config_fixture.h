// A folder with run.json, and the message of the error that loading it ends in.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "pdl/base/error.h"
#include "pdl/config/load_config.h"

namespace pdl {

// Gives each test a new folder, removed afterwards.
class LoadConfigTest : public testing::Test {
 protected:
  LoadConfigTest() {
    std::string pattern =
        (std::filesystem::canonical(std::filesystem::temp_directory_path()) / "pdl-config-XXXXXX")
            .string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LoadConfigTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path write(const std::filesystem::path& name, std::string_view text) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  RunConfig load(std::string_view text, const std::vector<FlagSetting>& flags = {},
                 const std::vector<std::string_view>& required = {}) const {
    return load_config(write("run.json", text), flags, required);
  }

  // Returns the message of the error; "" if there is none.
  std::string error_of(std::string_view text, const std::vector<FlagSetting>& flags = {},
                       const std::vector<std::string_view>& required = {}) const {
    try {
      load(text, flags, required);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  std::string flag_error(const std::vector<FlagSetting>& flags,
                         const std::vector<std::string_view>& required = {}) const {
    try {
      load_config({}, flags, required);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  std::filesystem::path folder_;
};

}  // namespace pdl
