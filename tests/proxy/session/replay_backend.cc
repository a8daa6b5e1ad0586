#include "tests/proxy/session/replay_backend.h"

#include <algorithm>
#include <utility>

#include "tests/proxy/pool/fake_host.h"
#include "tests/proxy/session/message_text.h"

namespace meridian {
namespace {

bool IsOneOf(std::string_view types, std::string_view message) {
  return types.find(message[0]) != std::string_view::npos;
}

constexpr std::string_view kExtended = "PBDECH";
constexpr std::string_view kCopy = "dc";  // a CopyFail has an answer

bool HasMessage(std::string_view bytes, std::string_view types) {
  while (const size_t size = WholeMessage(bytes)) {
    if (IsOneOf(types, bytes)) return true;
    bytes.remove_prefix(size);
  }
  return false;
}

// Whether PostgreSQL sends what it has said when this message was handled.
bool Flushes(const Exchange& exchange) {
  return !IsOneOf("PBDEC", exchange.request) || HasMessage(exchange.answer, "EG");
}

}  // namespace

ReplayBackend::ReplayBackend(std::vector<Exchange> exchanges, Options options)
    : exchanges_(std::move(exchanges)), options_(options) {}

void ReplayBackend::OnBytes(std::string_view bytes, bool cleaning) {
  partial_ += bytes;
  while (const size_t size = WholeMessage(partial_)) {
    const std::string message = partial_.substr(0, size);
    partial_.erase(0, size);
    if (surprise_.empty()) OnMessage(message, cleaning);
  }
}

std::string ReplayBackend::TakeAnswer() { return std::exchange(answer_, {}); }

std::string ReplayBackend::Missing() const {
  for (size_t i = next_; i < exchanges_.size(); ++i) {
    if (!MayBeMissing(exchanges_[i])) return MessageToText(exchanges_[i].request);
  }
  return {};
}

void ReplayBackend::OnMessage(const std::string& message, bool cleaning) {
  if (Match(message)) return;
  if (cleaning && message == QueryBytes("ROLLBACK")) {
    answer_ += CommandAnswer("ROLLBACK");
  } else if (cleaning && message == QueryBytes("DISCARD ALL")) {
    answer_ += CommandAnswer("DISCARD ALL");
  } else {
    surprise_ = MessageToText(message);
    waiting_.clear();
  }
}

bool ReplayBackend::Match(const std::string& message) {
  if (message[0] == wire::kCopyData) {
    return MatchCopyData(std::string_view(message).substr(wire::kHeaderBytes));
  }
  if (SkipTo(message)) return true;
  return IsIgnored(message);
}

// How the rows are cut into messages depends on how they were read.
bool ReplayBackend::MatchCopyData(std::string_view body) {
  while (!body.empty()) {
    if (next_ == exchanges_.size() || exchanges_[next_].request[0] != wire::kCopyData) {
      return options_.loose;
    }
    const Exchange& expected = exchanges_[next_];
    const std::string_view rest =
        std::string_view(expected.request).substr(wire::kHeaderBytes + copy_used_);
    const size_t size = std::min(rest.size(), body.size());
    if (rest.substr(0, size) != body.substr(0, size)) return false;
    copy_used_ += size;
    body.remove_prefix(size);
    if (size < rest.size()) continue;
    copy_used_ = 0;
    ++next_;
    Say(expected);
  }
  return true;
}

// The recorded message, behind some that need not come.
bool ReplayBackend::SkipTo(const std::string& message) {
  size_t at = next_;
  while (at < exchanges_.size() && exchanges_[at].request != message &&
         MayBeMissing(exchanges_[at])) {
    ++at;
  }
  if (at == exchanges_.size() || exchanges_[at].request != message) return false;
  next_ = at + 1;
  copy_used_ = 0;
  Say(exchanges_[at]);
  return true;
}

// How much is sent behind an error depends on when the error was heard of; PostgreSQL ignores it.
bool ReplayBackend::IsIgnored(const std::string& message) const {
  return (skipping_ && IsOneOf(kExtended, message)) || (options_.loose && IsOneOf(kCopy, message));
}

bool ReplayBackend::MayBeMissing(const Exchange& exchange) const {
  return exchange.answer.empty() && IsIgnored(exchange.request);
}

void ReplayBackend::Say(const Exchange& exchange) {
  if (exchange.request[0] == wire::kSync) skipping_ = false;
  if (IsOneOf(kExtended, exchange.request)) skipping_ |= HasMessage(exchange.answer, "E");
  waiting_ += exchange.answer;
  if (!options_.lazy || Flushes(exchange)) answer_ += std::exchange(waiting_, {});
}

}  // namespace meridian
