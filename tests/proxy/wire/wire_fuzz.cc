// Everything that reads bytes of a peer. The input's first byte says what reads the rest.
#include <cstdlib>
#include <string_view>

#include "proxy/wire/error_response.h"
#include "proxy/wire/frontend_messages.h"
#include "proxy/wire/message_stream.h"
#include "proxy/wire/message_writer.h"
#include "proxy/wire/startup_packet.h"
#include "sharding/byte_reader.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace meridian::wire;

// A view that is handed out must lie in the bytes it was made of.
void CheckWithin(std::string_view part, std::string_view whole) {
  if (part.empty()) return;
  if (part.data() < whole.data() || part.data() + part.size() > whole.data() + whole.size()) {
    std::abort();
  }
}

void FuzzStartup(std::string_view packet) {
  const auto parsed = ParseStartupPacket(packet);
  if (!parsed.ok()) return;
  if (const auto* message = std::get_if<StartupMessage>(&*parsed)) {
    if (message->user.empty() || message->database.empty() || message->major != 3) std::abort();
  }
}

void FuzzBind(std::string_view body) {
  static BindView view;
  if (!ParseBind(body, &view).ok()) return;
  if (view.formats.size() > 1 && view.formats.size() != view.values.size()) std::abort();
  for (size_t i = 0; i < view.values.size(); ++i) {
    (void)view.IsBinary(i);
    if (view.values[i]) CheckWithin(*view.values[i], body);
  }
  CheckWithin(view.after_names, body);
  CheckWithin(view.result_formats, body);
}

void FuzzFrontend(std::string_view body) {
  if (const auto view = ParseParse(body); view.ok()) {
    std::string again;
    AppendParse(again, view->name, view->text, view->parameter_types);
    if (std::string_view(again).substr(kHeaderBytes) != body) std::abort();
  }
  (void)ParseDescribe(body);
  (void)ParseExecute(body);
  FuzzBind(body);
}

struct Result {
  std::string bytes;
  std::string types;
  bool broken = false;
};

// `size`: of the reads.
Result ReadAll(std::string_view input, size_t size) {
  MessageStream stream;
  Result result;
  while (!result.broken && !input.empty()) {
    std::string_view read = input.substr(0, size);
    input.remove_prefix(read.size());
    for (;;) {
      const auto event = stream.Next(read);
      if (event.kind == MessageStream::Kind::kNone) break;
      result.broken = event.kind == MessageStream::Kind::kBroken;
      if (result.broken) break;
      result.bytes.append(event.bytes);
      if (event.starts) result.types.push_back(event.type);
    }
  }
  return result;
}

void FuzzStream(std::string_view input) {
  const Result whole = ReadAll(input, input.size() + 1);
  for (const size_t size : {1, 3, 7}) {
    const Result parts = ReadAll(input, size);
    // A whole message may be missing at the end of the input, the start of a row may not.
    if (parts.broken != whole.broken || parts.types != whole.types || parts.bytes != whole.bytes) {
      std::abort();
    }
  }
  if (!input.starts_with(whole.bytes)) std::abort();
}

void FuzzError(std::string_view body) {
  const ErrorFields fields = ParseErrorFields(body);
  for (const auto part : {fields.severity, fields.sqlstate, fields.message, fields.hint}) {
    CheckWithin(part, body);
  }
  if (ToSqlError(fields).sqlstate.size() != 5) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
    case 's':
      FuzzStartup(input);
      break;
    case 'o':
      (void)ParseOptions(input);
      break;
    case 'f':
      FuzzFrontend(input);
      break;
    case 'm':
      FuzzStream(input);
      break;
    case 'e':
      FuzzError(input);
      break;
    default:
      break;
  }
  return 0;
}

std::vector<std::string> FuzzSeeds() {
  using std::string_literals::operator""s;
  std::string startup = "s", cancel = "s", error, answer = "m";
  AppendStartup(startup, {{"user", "ann"}, {"options", "-c a=b --c=d"}, {"_pq_.x", ""}});
  AppendCancelRequest(cancel, 1, "abcd");
  AppendError(error, Severity::kFatal, {"57P01", "message", "detail", "hint", 1});
  AppendTextRowDescription(answer, {"id"});
  AppendTextDataRow(answer, {"1"});
  answer += "d\0\0\0\7abc"s;
  AppendCommandComplete(answer, "SELECT 1");
  AppendReadyForQuery(answer, kIdle);
  return {startup,
          cancel,
          "s\0\0\0\x08\x04\xd2\x16\x2f"s,
          "o-c a=b\\ c --d-e=f -cg=h",
          "fs\0SELECT $1\0\0\1\0\0\0\x17"s,
          "fp\0s\0\0\2\0\0\0\1\0\2\0\0\0\2ab\xff\xff\xff\xff\0\1\0\1"s,
          "fSs1\0"s,
          "fp\0\0\0\1\0"s,
          answer,
          "e" + error.substr(kHeaderBytes)};
}
