local function make_text(n)
  local letters = "abcdefghijklmnopqrstuvwxyz"
  local text = {}
  local seed = 42
  local floor, sub = math.floor, string.sub
  for i = 1, n do
    seed = seed * 16807 % 2147483647
    local rest = seed % (1 + floor(seed / 64) % 3000)
    repeat
      local at = rest % 26 + 1
      text[#text + 1] = sub(letters, at, at)
      rest = floor(rest / 26)
    until rest == 0
    text[#text + 1] = " "
  end
  return table.concat(text)
end

local text = make_text(tonumber(arg[1]) or 100000)
local counts = {}
for word in text:gmatch("%S+") do counts[word] = (counts[word] or 0) + 1 end
local list = {}
for word, times in pairs(counts) do list[#list + 1] = { word = word, times = times } end
table.sort(list, function(a, b) return a.times > b.times or (a.times == b.times and a.word < b.word) end)
print(string.format("%d bytes, %d words", #text, #list))
for i = 1, 10 do print(list[i].word .. " " .. list[i].times) end
