// Makes the steps of the `tokenizers` package's decoders, each under the name that the file gives.
#pragma once

#include <cstddef>
#include <string>

#include "decoder_step.h"
#include "pdl/pattern/pattern.h"

namespace pdl::tokenizer_json {

// What the package does without a decoder: puts a blank between tokens.
MakeDecoderStep join_with_blanks();

MakeDecoderStep byte_level_decoder();
// `drops_first`: the sign is left out of the first token, whereas elsewhere a blank is put for it.
MakeDecoderStep metaspace_decoder(std::string sign, bool drops_first);
MakeDecoderStep byte_fallback_decoder();
MakeDecoderStep fuse_decoder();
// The pattern is `text` or, if that is empty, `expression`.
MakeDecoderStep replace_decoder(std::string text, Pattern expression, std::string content);
// Removes the character at most `start` times from the begin of a token and `stop` times from its
// end. For a token that is shorter, where the package ends with an error, it leaves nothing.
MakeDecoderStep strip_decoder(std::string character, size_t start, size_t stop);
MakeDecoderStep word_piece_decoder(std::string prefix, bool cleanup);
MakeDecoderStep bpe_decoder(std::string suffix);
MakeDecoderStep ctc_decoder(std::string pad_token, std::string word_delimiter, bool cleanup);

}  // namespace pdl::tokenizer_json
