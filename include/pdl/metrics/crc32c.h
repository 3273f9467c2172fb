// CRC-32C (Castagnoli), the checksum of TensorBoard's record files.
#pragma once

#include <cstdint>
#include <string_view>

namespace pdl {

// Polynomial 0x1EDC6F41, bits reflected, initial value and final XOR 0xFFFFFFFF, as RFC 3720
// appendix B.4.
uint32_t crc32c(std::string_view bytes);

}  // namespace pdl
