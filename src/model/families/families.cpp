#include "families.h"

namespace pdl {

const FamilyTable& families() {
  static const FamilyTable kFamilies = [] {
    FamilyTable table = rms_norm_families();
    table.merge(gemma_families());
    table.merge(layer_norm_families());
    return table;
  }();
  return kFamilies;
}

}  // namespace pdl
