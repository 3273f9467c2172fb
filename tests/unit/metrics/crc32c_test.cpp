#include "pdl/metrics/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace pdl {
namespace {

// The test vectors of RFC 3720, appendix B.4 (there as bytes, lowest first), and the check value of
// the CRC catalogue.
TEST(Crc32cTest, AgreesWithPublishedVectors) {
  std::string rising;
  for (int i = 0; i < 32; ++i) {
    rising += static_cast<char>(i);
  }
  const std::string falling(rising.rbegin(), rising.rend());
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
  EXPECT_EQ(crc32c(falling), 0x113FDB5CU);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
}

TEST(Crc32cTest, OfNothingIsZero) { EXPECT_EQ(crc32c(""), 0U); }

}  // namespace
}  // namespace pdl
