#include "tests/proxy/session/conversation.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/proxy/session/message_text.h"

namespace meridian {
namespace {

std::string Folder() { return MERIDIAN_SOURCE_DIR "/tests/proxy/session/conversations/"; }

void ReadOption(const std::string& line, Conversation::Options& options) {
  std::istringstream words(line);
  std::string word, name;
  words >> word >> name;
  if (name == "pool_size") {
    words >> options.pool_size;
  } else if (name == "session_mode") {
    words >> options.session_mode;
  } else if (name == "replicas") {
    options.replicas = true;
  } else if (name == "loose") {
    options.loose = true;
  } else if (name == "racy") {
    options.racy = true;
  } else if (name == "startup") {
    char client = 0;
    std::string setting, value;
    words >> client >> setting >> value;
    options.startup[client].emplace_back(setting, value);
  } else {
    throw std::runtime_error("what option is this: " + line);
  }
}

// `  s1.1 > Q "..."`
void ReadRecord(std::string_view line, Conversation& conversation) {
  line.remove_prefix(2);
  const size_t space = line.find(' ');
  const std::string who(line.substr(0, space));
  const char direction = line.at(space + 1);
  const std::string message = MessageFromText(line.substr(space + 3));
  if (who.size() == 1) {
    conversation.seen[who[0]] += message;
  } else if (direction == '>') {
    conversation.servers[who].push_back({message, {}});
  } else {
    conversation.servers[who].back().answer += message;
  }
}

}  // namespace

Conversation ParseConversation(std::string name, std::string_view text) {
  Conversation conversation;
  conversation.name = std::move(name);
  std::istringstream lines{std::string(text)};
  bool new_step = true;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) {
      new_step = true;
    } else if (line.starts_with('#')) {
      conversation.head.push_back(line);
    } else if (line.starts_with("option ")) {
      conversation.head.push_back(line);
      ReadOption(line, conversation.options);
    } else if (line.starts_with("  ")) {
      ReadRecord(line, conversation);
    } else if (line != "end") {
      if (new_step) conversation.steps.push_back({line[0], {}, {}});
      new_step = false;
      Conversation::Step& step = conversation.steps.back();
      if (line[0] != step.client) throw std::runtime_error("two clients in one write: " + line);
      step.lines.push_back(line);
      step.bytes += MessageFromText(std::string_view(line).substr(2));
    }
  }
  return conversation;
}

std::string ConversationFile(std::string_view name) {
  return Folder() + std::string(name) + ".txt";
}

std::vector<Conversation> ReadConversations() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  std::vector<Conversation> conversations;
  for (const std::string& name : names) {
    std::ifstream file(ConversationFile(name));
    std::stringstream text;
    text << file.rdbuf();
    conversations.push_back(ParseConversation(name, text.str()));
  }
  return conversations;
}

}  // namespace meridian
