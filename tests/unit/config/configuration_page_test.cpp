#include "support/configuration_page.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "pdl/base/error.h"
#include "pdl/base/file.h"

namespace pdl {
namespace {

TEST(ConfigurationPageTest, TheCommittedPageIsThatOfTheTable) {
  const auto page =
      std::filesystem::path(PDL_TEST_DATA).parent_path() / "docs" / "configuration.md";
  EXPECT_EQ(read_file<DataError>("page", page), configuration_page())
      << "docs/configuration.md is out of date; write it again: " << kConfigurationPageCommand;
}

}  // namespace
}  // namespace pdl
