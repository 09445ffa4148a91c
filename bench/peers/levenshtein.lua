local floor, min, byte = math.floor, math.min, string.byte

local function letters(n, seed)
  local text = {}
  local x = seed
  for i = 1, n do
    x = x * 16807 % 2147483647
    local at = floor(x / 64) % 4 + 1
    text[i] = ("acgt"):sub(at, at)
  end
  return table.concat(text)
end

local function distance(a, b)
  local above, row = {}, {}
  for j = 0, #b do above[j] = j end
  for i = 1, #a do
    row[0] = i
    for j = 1, #b do
      local replaced = above[j - 1] + (byte(a, i) == byte(b, j) and 0 or 1)
      row[j] = min(replaced, min(above[j], row[j - 1]) + 1)
    end
    for j = 0, #b do above[j] = row[j] end
  end
  return above[#b]
end

local n = tonumber(arg[1]) or 500
print(distance(letters(n, 42), letters(n + floor(n / 10), 43)))
